// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.State;

namespace Vmm.Abstractions.Chips;

/// <summary>A high-precision event timer (<c>struct vhpet</c>).</summary>
[VmmKernelSymbol("vhpet")]
public interface IHpet : IVmmDataSource
{
    /// <summary>The capabilities register: period, vendor, width, timers and revision.</summary>
    ulong Capabilities { get; }
}
