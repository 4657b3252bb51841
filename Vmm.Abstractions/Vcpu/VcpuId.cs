// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;

namespace Vmm.Abstractions.Vcpu;

/// <summary>The number of a vCPU within its VM, from 0.</summary>
/// <param name="Value">The number.</param>
public readonly record struct VcpuId(int Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}
