// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.State;

/// <summary>Which way the data of a request goes (<c>VDX_FLAG_*</c>).</summary>
[Flags]
public enum VmmDataFlags
{
    /// <summary>As the operation says.</summary>
    None = 0,

    /// <summary>A read takes the caller's data as a list of what is wanted.</summary>
    ReadCopyIn = 1,

    /// <summary>A write gives data back.</summary>
    WriteCopyOut = 2,
}
