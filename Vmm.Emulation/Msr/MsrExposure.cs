// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <summary>Which registers the hypervisor may handle by itself.</summary>
public enum MsrExposure
{
    /// <summary>All that it knows.</summary>
    All = 0,

    /// <summary>Only those that are listed.</summary>
    Only,

    /// <summary>All that it knows but those that are listed.</summary>
    AllBut,
}
