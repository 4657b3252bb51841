// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Backend;

/// <summary>What a vCPU of a hypervisor that has the local APICs is doing.</summary>
public enum BackendActivity
{
    /// <summary>It executes, or would if it were run.</summary>
    Runnable = 0,

    /// <summary>It has not been started.</summary>
    Uninitialized = 1,

    /// <summary>It has had an INIT and waits for a start-up interrupt.</summary>
    InitReceived = 2,

    /// <summary>It has executed HLT.</summary>
    Halted = 3,

    /// <summary>It has had a start-up interrupt.</summary>
    SipiReceived = 4,
}
