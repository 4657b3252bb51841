// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.IoPorts;

/// <summary>How a port handler ended an access.</summary>
public enum PortOutcome
{
    /// <summary>Done.</summary>
    Handled = 0,

    /// <summary>Not mine: the embedder, or the VM's default, answers.</summary>
    Unclaimed = 1,

    /// <summary>The device refuses the access: the embedder gets the raw instruction.</summary>
    Refused = 2,
}
