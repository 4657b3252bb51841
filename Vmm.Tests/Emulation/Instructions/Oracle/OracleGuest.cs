// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>A vCPU of KVM that starts from a <see cref="CpuState"/> and runs until it leaves the guest.</summary>
internal sealed class OracleGuest : IDisposable
{
    /// <summary>KVM_SYNC_X86_REGS and KVM_SYNC_X86_SREGS.</summary>
    private const ulong Synced = 3;

    private readonly KvmSystemFd _system;
    private readonly KvmVmFd _vm;
    private readonly KvmVcpuFd _vcpu;
    private readonly MemoryMapping _memory;
    private readonly byte[] _extended;
    private KvmSregs _systemRegisters;
    private KvmRegs _registers;
    private bool _retiresAtExit;

    internal OracleGuest()
    {
        _system = KvmRequirement.Open();
        KvmRequirement.Require(_system, KvmCapability.SyncRegs);
        _vm = _system.CreateVm();
        _vm.SetTssAddr(0xFFFB_D000);
        if (_vm.CheckExtension(KvmCapability.ExitOnEmulationFailure) > 0)
        {
            _vm.EnableExitOnEmulationFailure(true);
        }

        _memory = MemoryMapping.Create(OracleLayout.Size);
        _vm.SetUserMemoryRegion(0, KvmMemoryRegionFlags.None, 0, _memory, 0, OracleLayout.Size);
        _vcpu = _vm.CreateVcpu(0);
        KvmCpuidEntry2[] offered = _system.GetSupportedCpuid();
        RefusedControls = Refused(offered);
        _vcpu.SetCpuid2(offered);
        _vcpu.BeginSession();
        _vcpu.GetSregs(out _systemRegisters);
        _extended = new byte[Math.Max(_vcpu.XsaveLength, ExtendedState.Size)];
        KvmXcrs xcrs = new() { NrXcrs = 1 };
        xcrs.Xcrs[0].Value = 0xE7;
        _vcpu.SetXcrs(xcrs);

        // xgetbv; out 0xE6, al
        CpuState state = new();
        Xcr0 = RunProbe(state, [0x0F, 0x01, 0xD0]) ? (uint)_registers.Rax : 0xE7;

        // andps xmm0, [rax], not aligned: #GP on the processor
        state.General[0] = OracleLayout.Data + 1;
        InterpretsFaults = RunProbe(state, [0x0F, 0x54, 0x00]) && _registers.Rip - (OracleLayout.Handlers + 6 * 16) < 16;
    }

    internal Span<byte> Memory => _memory.Slice(0, OracleLayout.Size);

    internal ref readonly KvmRegs Registers => ref _registers;

    internal ref readonly KvmSregs SystemRegisters => ref _systemRegisters;

    /// <summary>The XSAVE area after the run.</summary>
    internal ReadOnlySpan<byte> Extended => _extended;

    /// <summary>The XCR0 that user mode executes with: a host that runs user mode only leaves its own in force.</summary>
    internal ulong Xcr0 { get; }

    /// <summary>
    /// Whether the host hands an instruction that faults with #GP in user mode to KVM's emulator, which has fewer instructions than the
    /// processor and then says #UD. So do hosts that run user mode only; the same with a stack pointer that is not canonical.
    /// </summary>
    internal bool InterpretsFaults { get; }

    /// <summary>Bits of CR4 whose features KVM does not offer to a guest, and therefore refuses.</summary>
    internal ulong RefusedControls { get; }

    internal string Failure { get; private set; } = "";

    public void Dispose()
    {
        _vcpu.EndSession();
        _vcpu.Dispose();
        _vm.Dispose();
        _memory.Dispose();
        _system.Dispose();
    }

    /// <summary>Runs from a state until the guest leaves by itself.</summary>
    internal OracleExit Run(CpuState state)
    {
        ref KvmRun page = ref _vcpu.Page.Run;
        KvmConversion.ToRegisters(state, out page.SyncRegs.Regs);
        KvmConversion.ToSystemRegisters(state, ref page.SyncRegs.Sregs, in _systemRegisters);
        page.Cr8 = state.Cr8;
        page.ValidRegs = Synced;
        page.DirtyRegs = Synced;
        state.Extended.Image.CopyTo(_extended);
        BitConverter.TryWriteBytes(_extended.AsSpan(512), 7UL);
        _extended.AsSpan(520, 56).Clear();
        _vcpu.SetXsave(_extended);
        if (state.Cpl == 0)
        {
            // Single steps of earlier runs leave their mark in DR6.
            _vcpu.SetDebugregs(new() { Dr6 = state.Dr6, Dr7 = state.Dr7 });
        }

        OracleExit exit = Enter(ref page);
        _vcpu.GetXsave2(_extended);
        if ((_extended[512] & 2) == 0)
        {
            // A kernel that saves the compacted form has no MXCSR then: it is in its initial state together with SSE.
            BitConverter.TryWriteBytes(_extended.AsSpan(24), 0x1F80);
        }

        _registers = page.SyncRegs.Regs;
        _systemRegisters = page.SyncRegs.Sregs;
        return exit;
    }

    /// <summary>UMIP, 57-bit addresses, PCIDs, SMEP, SMAP and protection keys.</summary>
    private static ulong Refused(ReadOnlySpan<KvmCpuidEntry2> offered)
    {
        ulong refused = 1 << 11 | 1 << 12 | 1 << 17 | 1 << 20 | 1 << 21 | 1 << 22;
        foreach (ref readonly KvmCpuidEntry2 leaf in offered)
        {
            refused &= leaf.Function switch
            {
                1 when (leaf.Ecx & 1 << 17) != 0 => ~(1UL << 17),
                7 when leaf.Index == 0 => ~((leaf.Ecx >> 2 & 1UL) << 11 | (leaf.Ecx >> 16 & 1UL) << 12 | (leaf.Ebx >> 7 & 1UL) << 20
                    | (leaf.Ebx >> 20 & 1UL) << 21 | (leaf.Ecx >> 3 & 1UL) << 22),
                _ => ulong.MaxValue,
            };
        }

        return refused;
    }

    private bool RunProbe(CpuState state, ReadOnlySpan<byte> code)
    {
        OracleLayout.CreateMemory(OracleMode.User64).CopyTo(Memory);
        OracleLayout.Enter(state, OracleMode.User64);
        code.CopyTo(Memory[OracleLayout.Code..]);
        state.General[1] = 0;
        state.Rip = OracleLayout.Code;
        state.Rflags = 0x202;
        return Run(state) == OracleExit.Port;
    }

    private OracleExit Enter(ref KvmRun page)
    {
        int error;
        do
        {
            error = _vcpu.RunInSession();
        }
        while (error == (int)VmmError.EINTR);

        if (error != 0)
        {
            throw new VmmException("KVM_RUN", (VmmError)error, "entering the guest");
        }

        switch ((KvmExitReason)page.ExitReason)
        {
            case KvmExitReason.Io when page.Io.Port == OracleLayout.Port && page.Io.Direction == 1 && page.Io.Size == 1:
                CompletePort(ref page);
                return OracleExit.Port;
            case KvmExitReason.Hlt:
                return OracleExit.Halted;
            case KvmExitReason.Shutdown:
                return OracleExit.Shutdown;
            case KvmExitReason.InternalError:
                return OracleExit.NotExecuted;
            case KvmExitReason.Mmio:
                Failure = "an access outside memory";
                Retire(ref page);
                return OracleExit.Other;
            default:
                Failure = $"exit {(KvmExitReason)page.ExitReason}";
                return OracleExit.Other;
        }
    }

    /// <summary>Answers the rest of an access, so that it does not go on in the next scenario.</summary>
    private void Retire(ref KvmRun page)
    {
        const int MostFragments = 64;
        page.ImmediateExit = 1;
        for (int fragment = 0; fragment < MostFragments && _vcpu.RunInSession() == 0; fragment++)
        {
            // Each run answers one fragment.
        }

        page.ImmediateExit = 0;
    }

    /// <summary>RIP may be before or behind the OUT; a run that returns at once retires it. Hosts that interpret it have done so already.</summary>
    private void CompletePort(ref KvmRun page)
    {
        if (_retiresAtExit)
        {
            return;
        }

        ulong before = page.SyncRegs.Regs.Rip;
        page.ImmediateExit = 1;
        int error = _vcpu.RunInSession();
        page.ImmediateExit = 0;
        if (error != (int)VmmError.EINTR)
        {
            throw new VmmException("KVM_RUN", (VmmError)error, $"completing the port access at 0x{before:x}");
        }

        _retiresAtExit = page.SyncRegs.Regs.Rip == before;
    }
}
