// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Engine.Faults;

/// <summary>Where it is known from what led to a triple fault.</summary>
public enum TripleFaultOrigin
{
    /// <summary>It is not known: the hypervisor does not tell, and what the vCPU shows does not lead there again.</summary>
    Unknown = 0,

    /// <summary>Whoever executed the guest saw it happen.</summary>
    Seen = 1,

    /// <summary>The hypervisor does not tell; the engine executed the last instruction, or delivered the last event, again on a copy.</summary>
    Rehearsed = 2,
}
