// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Kvm;

/// <summary>
/// A guest of a few bytes that finds out what a debugger can have here: KVM accepts every request, and on some hosts nothing comes of
/// it. A trial that is not honoured ends in HLT, or in user mode in a triple fault.
/// </summary>
internal sealed class KvmDebugProbe : IDisposable
{
    private const ulong MemorySize = 2 << 20;
    private const ulong RootTable = 0x1000;
    private const ulong PointerTable = 0x2000;
    private const ulong Directory = 0x3000;
    private const ulong Code = 0x4000;
    private const ulong Data = 0x5000;
    private const ulong UserTableEntry = 0x7;
    private const ulong UserLargePage = 0x87;
    private const int Store = 1;
    private const int Int3 = 3;

    // nop / mov [rdi], al / int3 / hlt
    private static readonly byte[] s_code = [0x90, 0x88, 0x07, 0xcc, 0xf4];

    private readonly KvmBackend _backend;
    private readonly GuestMemoryBlock _memory;
    private readonly IBackendVm _vm;

    private KvmDebugProbe(KvmBackend backend)
    {
        _backend = backend;
        _memory = backend.AllocateMemory(MemorySize, new GuestMemoryOptions("probe"));
        _vm = backend.CreateVm(new BackendVmOptions(
            "debug-probe", 2, InterruptControllerMode.Userspace, TrackDirty: false, MsrExits: false, HypercallExits: false));
        _vm.PlaceMemory(new MemoryPlacement(
            GuestPhysicalRange.Create(new GuestPhysicalAddress(0), MemorySize), _memory, 0, ReadOnly: false, TrackDirty: false));
        WriteEntry(RootTable, PointerTable | UserTableEntry);
        WriteEntry(PointerTable, Directory | UserTableEntry);
        WriteEntry(Directory, UserLargePage);
        s_code.CopyTo(_memory.GetSpan(Code, s_code.Length));
    }

    /// <summary>Tries everything in both modes.</summary>
    /// <exception cref="VmmException">The host refuses the guest.</exception>
    public static KvmDebugSupport Find(KvmBackend backend)
    {
        using KvmDebugProbe probe = new(backend);
        return new KvmDebugSupport(probe.Find(new VcpuId(0), user: false), probe.Find(new VcpuId(1), user: true));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _vm.Dispose();
        _memory.Dispose();
    }

    private DebugFeatures Find(VcpuId id, bool user)
    {
        using KvmVcpu vcpu = (KvmVcpu)_vm.CreateVcpu(id);
        vcpu.SetCpuid(_backend.GetSupportedCpuid().AsSpan());

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

    /// <summary>Flat 64-bit segments over the tables, nothing pending (Intel SDM volume 3, section 10.8.5).</summary>
    private static void Enter(KvmVcpu vcpu, bool user)
    {
        const ulong Pae = 1 << 5;
        const ulong LongModeActive = 0x500;
        const ulong PagedProtected = 0x8000_0031;
        const uint UserPrivilege = 3 << 5;
        const ushort UserSelector = 3;
        uint privilege = user ? UserPrivilege : 0;
        ushort requested = user ? UserSelector : (ushort)0;
        vcpu.SetRegister(RegisterName.Cr3, RootTable);
        vcpu.SetRegister(RegisterName.Cr4, Pae);
        vcpu.SetRegister(RegisterName.Efer, LongModeActive);
        vcpu.SetRegister(RegisterName.Cr0, PagedProtected);
        Set(RegisterName.Cs, (ushort)(0x10 | requested), 0xa09b | privilege);
        Set(RegisterName.Ss, (ushort)(0x18 | requested), 0xc093 | privilege);
        Set(RegisterName.Ds, (ushort)(0x18 | requested), 0xc093 | privilege);
        Set(RegisterName.Es, (ushort)(0x18 | requested), 0xc093 | privilege);
        vcpu.SetRegister(RegisterName.Tr, 0x20);
        vcpu.SetSegmentDescriptor(RegisterName.Tr, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x8b)));
        vcpu.SetSegmentDescriptor(RegisterName.Idtr, default);
        vcpu.GeneralRegisters = new GeneralRegisters { Rip = Code, Rdi = Data, Rsp = Data + 0x800, Rflags = 2 };
        vcpu.Events = default;

        void Set(RegisterName register, ushort selector, uint access)
        {
            vcpu.SetRegister(register, selector);
            vcpu.SetSegmentDescriptor(register, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(access)));
        }
    }

    private void WriteEntry(ulong address, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(_memory.GetSpan(address, sizeof(ulong)), value);
}
