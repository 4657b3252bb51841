// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Kvm;

/// <summary>
/// A guest of a few bytes that finds out what a debugger can have here: KVM accepts every request, and on some hosts nothing comes of
/// it. A trial that is not honoured ends in HLT, or in user mode in a triple fault.
/// </summary>
internal sealed class KvmDebugProbe : IDisposable
{
    private const ulong Code = ProbeGuest.Code;
    private const ulong Data = 0x5000;
    private const int Store = 1;
    private const int Int3 = 3;

    // nop / mov [rdi], al / int3 / hlt
    private static readonly byte[] s_code = [0x90, 0x88, 0x07, 0xcc, 0xf4];

    private readonly ProbeGuest _guest;

    private KvmDebugProbe(KvmBackend backend)
    {
        _guest = new ProbeGuest(backend, "debug-probe", 2, isUserMemory: true);
        _guest.Write(s_code);
    }

    /// <summary>Tries everything in both modes.</summary>
    /// <exception cref="VmmException">The host refuses the guest.</exception>
    public static KvmDebugSupport Find(KvmBackend backend)
    {
        using KvmDebugProbe probe = new(backend);
        return new KvmDebugSupport(probe.Find(0, user: false), probe.Find(1, user: true));
    }

    /// <inheritdoc/>
    public void Dispose() => _guest.Dispose();

    private DebugFeatures Find(int id, bool user)
    {
        using KvmVcpu vcpu = _guest.CreateVcpu(id);

        vcpu.SetCapability(VcpuCapability.MonitorTrapExit, true);
        bool steps = Run(vcpu, user) is { Code: ExitCode.MonitorTrap, Rip: Code + Store };
        vcpu.SetCapability(VcpuCapability.MonitorTrapExit, false);

        vcpu.SetHardwareBreakpoints([new HardwareBreakpoint(new(Code + Store), BreakpointKind.Execution, 1)]);
        bool stops = Run(vcpu, user) is { Code: ExitCode.Breakpoint, Rip: Code + Store };
        vcpu.SetHardwareBreakpoints([new HardwareBreakpoint(new(Data), BreakpointKind.Write, 1)]);
        bool watches = Run(vcpu, user) is { Code: ExitCode.Breakpoint, Rip: Code + Int3 } watch && (watch.Debug.Dr6 & 1) != 0;
        vcpu.SetHardwareBreakpoints([]);

        vcpu.SetCapability(VcpuCapability.BreakpointExit, true);
        bool traps = Run(vcpu, user) is { Code: ExitCode.Breakpoint, Rip: Code + Int3 };
        return (steps ? DebugFeatures.SingleStep : DebugFeatures.None)
            | (stops ? DebugFeatures.HardwareBreakpoints : DebugFeatures.None)
            | (watches ? DebugFeatures.Watchpoints : DebugFeatures.None)
            | (traps ? DebugFeatures.SoftwareBreakpoints : DebugFeatures.None);
    }

    private static VmExit Run(KvmVcpu vcpu, bool user)
    {
        Enter(vcpu, user);
        VmExit exit = default;
        vcpu.BeginRun();
        try
        {
            do
            {
                vcpu.Run(ref exit);
            }
            while (exit.Code == ExitCode.Bogus);
        }
        finally
        {
            vcpu.EndRun();
        }

        return exit;
    }

    /// <summary>At the code's start, nothing pending, no handlers for exceptions.</summary>
    private static void Enter(KvmVcpu vcpu, bool user)
    {
        ProbeGuest.EnterLongMode(vcpu, user);
        vcpu.SetRegister(RegisterName.Tr, 0x20);
        vcpu.SetSegmentDescriptor(RegisterName.Tr, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x8b)));
        vcpu.SetSegmentDescriptor(RegisterName.Idtr, default);
        vcpu.GeneralRegisters = new GeneralRegisters { Rip = Code, Rdi = Data, Rsp = Data + 0x800, Rflags = 2 };
        vcpu.Events = default;
    }
}
