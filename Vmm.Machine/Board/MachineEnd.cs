// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Board;

/// <summary>Why a machine stopped.</summary>
public enum MachineEnd
{
    /// <summary>It has not.</summary>
    None = 0,

    /// <summary>The guest powered the machine off.</summary>
    PowerOff,

    /// <summary>The guest asked for a reset.</summary>
    Reset,

    /// <summary>Every vCPU is halted with interrupts disabled.</summary>
    Halt,

    /// <summary>A fault while a double fault was delivered.</summary>
    TripleFault,

    /// <summary>The guest wrote to the debug-exit port.</summary>
    DebugExit,

    /// <summary>The hypervisor met an instruction that it cannot emulate.</summary>
    EmulationFailure,

    /// <summary>The hypervisor could not enter the guest, or gave up other than at an instruction.</summary>
    HypervisorFailure,

    /// <summary>The guest touched a model-specific register that nobody answers for, and the policy is to ask.</summary>
    UnansweredMsr,

    /// <summary>The guest ran for as long as it may.</summary>
    Timeout,

    /// <summary>Somebody stopped it from outside.</summary>
    Stopped,

    /// <summary>The host refused something, or a device threw an exception.</summary>
    HostError,
}
