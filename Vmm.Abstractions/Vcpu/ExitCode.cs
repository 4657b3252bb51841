// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>
/// Why a vCPU came back (<c>VM_EXITCODE_*</c>). The numbers up to 24 are bhyve's; those from 0x100 on are this engine's,
/// for what other hypervisors report.
/// </summary>
public enum ExitCode
{
    /// <summary>Port input or output; pending.</summary>
    Inout = 0,

    /// <summary>VMX refused or failed an entry.</summary>
    Vmx = 1,

    /// <summary>Nothing to do: re-enter.</summary>
    Bogus = 2,

    /// <summary>RDMSR of a register that nobody below the caller answers; pending.</summary>
    Rdmsr = 3,

    /// <summary>WRMSR of a register that nobody below the caller answers; pending.</summary>
    Wrmsr = 4,

    /// <summary>HLT.</summary>
    Hlt = 5,

    /// <summary>One instruction has executed under single step.</summary>
    MonitorTrap = 6,

    /// <summary>PAUSE.</summary>
    Pause = 7,

    /// <summary>An access that the memory map forbids, such as a write to ROM.</summary>
    Paging = 8,

    /// <summary>An instruction that could not be emulated.</summary>
    InstructionEmulation = 9,

    /// <summary>INIT or start-up processing is due; the engine handles it.</summary>
    RunState = 10,

    /// <summary>An access to memory-mapped input or output that still wants decoding; the engine handles it.</summary>
    MmioEmulation = 11,

    /// <summary>The number of a former exit; never produced.</summary>
    Deprecated = 12,

    /// <summary>The guest ended an interrupt that an I/O APIC waits for.</summary>
    IoapicEoi = 13,

    /// <summary>The VM was suspended.</summary>
    Suspended = 14,

    /// <summary>Memory-mapped input or output; pending.</summary>
    Mmio = 15,

    /// <summary>A hardware task switch.</summary>
    TaskSwitch = 16,

    /// <summary>MONITOR.</summary>
    Monitor = 17,

    /// <summary>MWAIT.</summary>
    Mwait = 18,

    /// <summary>SVM refused or failed an entry.</summary>
    Svm = 19,

    /// <summary>Another thread wants the vCPU: re-enter once it is done.</summary>
    RequestIdle = 20,

    /// <summary>The vCPU is stopped for a debugger.</summary>
    Debug = 21,

    /// <summary>A virtualization instruction.</summary>
    VmInstruction = 22,

    /// <summary>A breakpoint: INT3 or a debug register.</summary>
    Breakpoint = 23,

    /// <summary>A hyper-thread sibling forbids to run here; never produced on Linux.</summary>
    HyperThread = 24,

    /// <summary>A hypercall; pending.</summary>
    Hypercall = 0x100,

    /// <summary>The hypervisor could not enter the guest.</summary>
    EntryFailure = 0x101,

    /// <summary>The hypervisor gave up inside itself, other than at an instruction.</summary>
    InternalError = 0x102,

    /// <summary>The guest asked the firmware interface for shutdown, reset or the like, or crashed.</summary>
    SystemEvent = 0x103,

    /// <summary>An access to memory that the hypervisor could not provide.</summary>
    MemoryFault = 0x104,

    /// <summary>The guest kept the hypervisor from regaining control in time.</summary>
    Notify = 0x105,

    /// <summary>The guest took a bus lock.</summary>
    BusLock = 0x106,

    /// <summary>A Hyper-V enlightenment wants user space.</summary>
    Hyperv = 0x107,

    /// <summary>A Xen enlightenment wants user space.</summary>
    Xen = 0x108,

    /// <summary>The guest accessed the local APIC's task priority.</summary>
    TprAccess = 0x109,

    /// <summary>The guest changed CR8.</summary>
    SetTpr = 0x10a,

    /// <summary>The guest can take an interrupt now.</summary>
    InterruptWindow = 0x10b,

    /// <summary>The log of dirty pages is full: collect it and re-enter.</summary>
    DirtyRingFull = 0x10c,

    /// <summary>The vCPU shut down after a triple fault. The engine turns it into <see cref="Suspended"/>.</summary>
    Shutdown = 0x10d,

    /// <summary>An exception that the hypervisor hands over.</summary>
    Exception = 0x10e,

    /// <summary>A reason that this version does not know.</summary>
    Unknown = 0x1ff,
}
