// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Vmm.Abstractions.Vcpu;

/// <summary>
/// Why a vCPU came back, and the particulars (<c>struct vm_exit</c>). One record per vCPU, written anew by each run.
/// </summary>
/// <remarks>
/// <para>
/// <see cref="Rip"/> plus <see cref="InstructionLength"/> is where the guest goes on. For a pending read, MSR access or
/// hypercall <see cref="Rip"/> is the instruction's own address and the length is 0: the instruction retires when it is
/// fulfilled. For a pending write the address may already lie behind the instruction, see <see cref="RipPosition"/>.
/// </para>
/// <para>The payload properties throw when the code is another one: a payload is never misread.</para>
/// </remarks>
[VmmKernelSymbol("vm_exit")]
[StructLayout(LayoutKind.Explicit)]
public struct VmExit
{
    [FieldOffset(0)]
    private ExitCode _code;

    [FieldOffset(4)]
    private int _instructionLength;

    [FieldOffset(8)]
    private ulong _rip;

    [FieldOffset(16)]
    private RipPosition _ripPosition;

    [FieldOffset(24)]
    private PortExit _port;

    [FieldOffset(24)]
    private MmioExit _mmio;

    [FieldOffset(24)]
    private MsrExit _msr;

    [FieldOffset(24)]
    private PagingExit _paging;

    [FieldOffset(24)]
    private InstructionEmulationExit _instructionEmulation;

    [FieldOffset(24)]
    private MmioEmulationExit _mmioEmulation;

    [FieldOffset(24)]
    private DebugExit _debug;

    [FieldOffset(24)]
    private HypercallExit _hypercall;

    [FieldOffset(24)]
    private HypervisorExit _hypervisor;

    [FieldOffset(24)]
    private TaskSwitchExit _taskSwitch;

    [FieldOffset(24)]
    private SuspendReason _suspended;

    [FieldOffset(24)]
    private ulong _value;

    /// <summary>Why the vCPU came back.</summary>
    public readonly ExitCode Code => _code;

    /// <summary>Bytes from <see cref="Rip"/> to where the guest goes on; 0 when unknown or already counted in.</summary>
    public readonly int InstructionLength => _instructionLength;

    /// <summary>The instruction pointer at the exit.</summary>
    public readonly ulong Rip => _rip;

    /// <summary>Where <see cref="Rip"/> lies relative to the instruction that caused the exit.</summary>
    public readonly RipPosition RipPosition => _ripPosition;

    /// <summary>The port access.</summary>
    [UnscopedRef]
    public readonly ref readonly PortExit Port
    {
        get
        {
            Require(_code == ExitCode.Inout);
            return ref _port;
        }
    }

    /// <summary>The memory-mapped access.</summary>
    [UnscopedRef]
    public readonly ref readonly MmioExit Mmio
    {
        get
        {
            Require(_code == ExitCode.Mmio);
            return ref _mmio;
        }
    }

    /// <summary>The MSR access.</summary>
    [UnscopedRef]
    public readonly ref readonly MsrExit Msr
    {
        get
        {
            Require(_code is ExitCode.Rdmsr or ExitCode.Wrmsr);
            return ref _msr;
        }
    }

    /// <summary>The forbidden access.</summary>
    [UnscopedRef]
    public readonly ref readonly PagingExit Paging
    {
        get
        {
            Require(_code is ExitCode.Paging or ExitCode.MemoryFault);
            return ref _paging;
        }
    }

    /// <summary>The instruction that could not be emulated.</summary>
    [UnscopedRef]
    public readonly ref readonly InstructionEmulationExit InstructionEmulation
    {
        get
        {
            Require(_code == ExitCode.InstructionEmulation);
            return ref _instructionEmulation;
        }
    }

    /// <summary>The access that still wants decoding.</summary>
    [UnscopedRef]
    public readonly ref readonly MmioEmulationExit MmioEmulation
    {
        get
        {
            Require(_code == ExitCode.MmioEmulation);
            return ref _mmioEmulation;
        }
    }

    /// <summary>The debug event.</summary>
    [UnscopedRef]
    public readonly ref readonly DebugExit Debug
    {
        get
        {
            Require(_code is ExitCode.MonitorTrap or ExitCode.Breakpoint);
            return ref _debug;
        }
    }

    /// <summary>The hypercall.</summary>
    [UnscopedRef]
    public readonly ref readonly HypercallExit Hypercall
    {
        get
        {
            Require(_code == ExitCode.Hypercall);
            return ref _hypercall;
        }
    }

    /// <summary>The task switch.</summary>
    [UnscopedRef]
    public readonly ref readonly TaskSwitchExit TaskSwitch
    {
        get
        {
            Require(_code == ExitCode.TaskSwitch);
            return ref _taskSwitch;
        }
    }

    /// <summary>Why the VM was suspended.</summary>
    public readonly SuspendReason Suspended
    {
        get
        {
            Require(_code == ExitCode.Suspended);
            return _suspended;
        }
    }

    /// <summary>The RFLAGS of a halt, or the vector of an ended interrupt.</summary>
    public readonly ulong Value
    {
        get
        {
            Require(_code is ExitCode.Hlt or ExitCode.IoapicEoi);
            return _value;
        }
    }

    /// <summary>The hypervisor's own numbers.</summary>
    [UnscopedRef]
    public readonly ref readonly HypervisorExit Hypervisor
    {
        get
        {
            Require(_code is ExitCode.EntryFailure or ExitCode.InternalError or ExitCode.SystemEvent
                or ExitCode.Notify or ExitCode.Hyperv or ExitCode.Xen or ExitCode.TprAccess or ExitCode.Vmx
                or ExitCode.Svm or ExitCode.Exception or ExitCode.BusLock or ExitCode.Unknown);
            return ref _hypervisor;
        }
    }

    /// <summary>Whether the guest waits for an answer: fulfil or discard it before the guest can go on.</summary>
    public readonly bool IsPending =>
        _code is ExitCode.Inout or ExitCode.Mmio or ExitCode.Rdmsr or ExitCode.Wrmsr or ExitCode.Hypercall;

    /// <summary>Writes an exit without a payload.</summary>
    /// <param name="code">The code.</param>
    /// <param name="rip">The instruction pointer.</param>
    /// <param name="instructionLength">Bytes to where the guest goes on.</param>
    [VmmKernelSymbol("vm_exit_debug")]
    [VmmKernelSymbol("vm_exit_astpending")]
    [VmmKernelSymbol("vm_exit_reqidle")]
    [VmmKernelSymbol("vm_exit_run_state")]
    public void Set(ExitCode code, ulong rip, int instructionLength = 0)
    {
        _code = code;
        _rip = rip;
        _instructionLength = instructionLength;
        _ripPosition = RipPosition.AtInstruction;
    }

    /// <summary>Writes a port access.</summary>
    /// <param name="port">The access.</param>
    /// <param name="rip">The instruction pointer.</param>
    /// <param name="position">Where it lies.</param>
    public void SetPort(in PortExit port, ulong rip, RipPosition position)
    {
        Set(ExitCode.Inout, rip);
        _ripPosition = position;
        _port = port;
    }

    /// <summary>Writes a memory-mapped access.</summary>
    /// <param name="mmio">The access.</param>
    /// <param name="rip">The instruction pointer.</param>
    /// <param name="position">Where it lies.</param>
    public void SetMmio(in MmioExit mmio, ulong rip, RipPosition position)
    {
        Set(ExitCode.Mmio, rip);
        _ripPosition = position;
        _mmio = mmio;
    }

    /// <summary>Writes an MSR access.</summary>
    /// <param name="isWrite">WRMSR and not RDMSR.</param>
    /// <param name="msr">The access.</param>
    /// <param name="rip">The instruction pointer.</param>
    public void SetMsr(bool isWrite, in MsrExit msr, ulong rip)
    {
        Set(isWrite ? ExitCode.Wrmsr : ExitCode.Rdmsr, rip);
        _msr = msr;
    }

    /// <summary>Writes a forbidden access.</summary>
    /// <param name="code"><see cref="ExitCode.Paging"/> or <see cref="ExitCode.MemoryFault"/>.</param>
    /// <param name="paging">The access.</param>
    /// <param name="rip">The instruction pointer.</param>
    /// <param name="position">Where it lies.</param>
    public void SetPaging(
        ExitCode code, in PagingExit paging, ulong rip, RipPosition position = RipPosition.AtInstruction)
    {
        Set(code, rip);
        _ripPosition = position;
        _paging = paging;
    }

    /// <summary>Writes a failed emulation.</summary>
    /// <param name="failure">The particulars.</param>
    /// <param name="rip">The instruction pointer.</param>
    public void SetInstructionEmulation(in InstructionEmulationExit failure, ulong rip)
    {
        Set(ExitCode.InstructionEmulation, rip);
        _instructionEmulation = failure;
    }

    /// <summary>Writes an access that still wants decoding.</summary>
    /// <param name="access">The access.</param>
    /// <param name="rip">The instruction pointer.</param>
    public void SetMmioEmulation(in MmioEmulationExit access, ulong rip)
    {
        Set(ExitCode.MmioEmulation, rip);
        _mmioEmulation = access;
    }

    /// <summary>Writes a debug event.</summary>
    /// <param name="code"><see cref="ExitCode.MonitorTrap"/> or <see cref="ExitCode.Breakpoint"/>.</param>
    /// <param name="debug">The event.</param>
    /// <param name="rip">The instruction pointer.</param>
    public void SetDebug(ExitCode code, in DebugExit debug, ulong rip)
    {
        Set(code, rip);
        _debug = debug;
    }

    /// <summary>Writes a hypercall.</summary>
    /// <param name="hypercall">The hypercall.</param>
    /// <param name="rip">The instruction pointer.</param>
    public void SetHypercall(in HypercallExit hypercall, ulong rip)
    {
        Set(ExitCode.Hypercall, rip);
        _hypercall = hypercall;
    }

    /// <summary>Writes a task switch.</summary>
    /// <param name="taskSwitch">The task switch.</param>
    /// <param name="rip">The instruction pointer.</param>
    public void SetTaskSwitch(in TaskSwitchExit taskSwitch, ulong rip)
    {
        Set(ExitCode.TaskSwitch, rip);
        _taskSwitch = taskSwitch;
    }

    /// <summary>Writes a suspension.</summary>
    /// <param name="reason">Why.</param>
    /// <param name="rip">The instruction pointer.</param>
    [VmmKernelSymbol("vm_exit_suspended")]
    public void SetSuspended(SuspendReason reason, ulong rip)
    {
        Set(ExitCode.Suspended, rip);
        _suspended = reason;
    }

    /// <summary>Writes a halt or an ended interrupt.</summary>
    /// <param name="code"><see cref="ExitCode.Hlt"/> or <see cref="ExitCode.IoapicEoi"/>.</param>
    /// <param name="value">RFLAGS or the vector.</param>
    /// <param name="rip">The instruction pointer.</param>
    public void SetValue(ExitCode code, ulong value, ulong rip)
    {
        Set(code, rip);
        _value = value;
    }

    /// <summary>Writes an exit with the hypervisor's own numbers.</summary>
    /// <param name="code">The code.</param>
    /// <param name="hypervisor">The numbers.</param>
    /// <param name="rip">The instruction pointer.</param>
    public void SetHypervisor(ExitCode code, in HypervisorExit hypervisor, ulong rip)
    {
        Set(code, rip);
        _hypervisor = hypervisor;
    }

    /// <inheritdoc/>
    public override readonly string ToString() => _code switch
    {
        ExitCode.Inout => $"{_code} {_port} at 0x{_rip:x}",
        ExitCode.Mmio => $"{_code} {_mmio} at 0x{_rip:x}",
        ExitCode.Rdmsr or ExitCode.Wrmsr => $"{_code} {_msr} at 0x{_rip:x}",
        ExitCode.Paging or ExitCode.MemoryFault => $"{_code} {_paging} at 0x{_rip:x}",
        ExitCode.InstructionEmulation =>
            $"{_code} [{Convert.ToHexStringLower(_instructionEmulation.Bytes)}] at 0x{_rip:x}",
        ExitCode.MonitorTrap or ExitCode.Breakpoint => $"{_code} {_debug} at 0x{_rip:x}",
        ExitCode.Hypercall => $"{_code} {_hypercall} at 0x{_rip:x}",
        ExitCode.Suspended => $"{_code} {_suspended} at 0x{_rip:x}",
        ExitCode.EntryFailure or ExitCode.InternalError or ExitCode.SystemEvent or ExitCode.Unknown =>
            $"{_code} {_hypervisor} at 0x{_rip:x}",
        _ => $"{_code} at 0x{_rip:x}",
    };

    private readonly void Require(bool holds)
    {
        if (!holds)
        {
            ThrowMismatch();
        }
    }

    [DoesNotReturn]
    private readonly void ThrowMismatch() =>
        throw new InvalidOperationException($"an exit with code {_code} does not carry this payload");
}
