// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software;

/// <summary>Whether a vCPU looks at each instruction.</summary>
internal interface IWatch
{
    /// <summary>Whether it does. A constant of the type.</summary>
    static abstract bool IsWatched { get; }
}
