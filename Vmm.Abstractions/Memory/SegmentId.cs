// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;

namespace Vmm.Abstractions.Memory;

/// <summary>The number of a memory segment within its VM, from 0.</summary>
/// <param name="Value">The number.</param>
public readonly record struct SegmentId(int Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}
