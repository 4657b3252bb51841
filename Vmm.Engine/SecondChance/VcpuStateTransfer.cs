// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Emulation.Instructions.Execution;
using ExecutorRegisters = Vmm.Emulation.Instructions.Execution.GeneralRegisters;
using GeneralRegisters = Vmm.Abstractions.Registers.GeneralRegisters;

namespace Vmm.Engine.SecondChance;

/// <summary>
/// Carries a vCPU's state between the hypervisor and the executor: general, segment and control registers always, the rest when an
/// instruction needs it. Only what changed goes back. The owner's thread only.
/// </summary>
internal sealed class VcpuStateTransfer(CpuState state, ulong components, uint pkruOffset)
{
    private const int XstateBv = 512;
    private const ulong DefaultDr7 = 0x400;
    private const ulong Cr4ProtectionKeys = 1 << 22;

    private static readonly RegisterName[] s_segments =
    [
        RegisterName.Es, RegisterName.Cs, RegisterName.Ss, RegisterName.Ds, RegisterName.Fs, RegisterName.Gs, RegisterName.Ldtr,
        RegisterName.Tr,
    ];

    private readonly MsrTransfer _msrs = new(state);
    private readonly byte[] _loadedFpu = new byte[ExtendedState.Size];
    private IBackendVcpu? _backend;
    private StateNeeds _loaded;
    private SegmentRegisters _segments;
    private Controls _controls;
    private ulong _xcr0;
    private DebugState _debug;
    private uint _pkru;
    private int _fpuLength;

    /// <summary>Whether the debug registers have been taken since the state was.</summary>
    public bool HasDebug => (_loaded & StateNeeds.Debug) != 0;

    /// <summary>Takes the registers that every instruction may need.</summary>
    public void Load(IBackendVcpu backend)
    {
        _backend = backend;
        _loaded = StateNeeds.None;
        GeneralRegisters registers = backend.GeneralRegisters;
        ToExecutor(registers, ref state.General);
        state.Rip = registers.Rip;
        state.Rflags = registers.Rflags | 2;
        for (int i = 0; i < s_segments.Length; i++)
        {
            SegmentDescriptor descriptor = backend.GetSegmentDescriptor(s_segments[i]);
            state.Segments[i] = new SegmentState
            {
                Base = descriptor.Base,
                Limit = descriptor.Limit,
                Access = descriptor.Access.Value,
                Selector = (ushort)backend.GetRegister(s_segments[i]),
            };
        }

        _segments = state.Segments;
        SegmentDescriptor table = backend.GetSegmentDescriptor(RegisterName.Gdtr);
        state.Gdtr = new() { Base = table.Base, Limit = (ushort)table.Limit };
        table = backend.GetSegmentDescriptor(RegisterName.Idtr);
        state.Idtr = new() { Base = table.Base, Limit = (ushort)table.Limit };
        state.Cr0 = backend.GetRegister(RegisterName.Cr0);
        state.Cr2 = backend.GetRegister(RegisterName.Cr2);
        state.Cr3 = backend.GetRegister(RegisterName.Cr3);
        state.Cr4 = backend.GetRegister(RegisterName.Cr4);
        state.Efer = backend.GetRegister(RegisterName.Efer);
        _controls = Controls.Of(state);
        state.Dr6 = 0;
        state.Dr7 = DefaultDr7;
        state.Halted = false;
        state.Shadow = backend.Events.InterruptShadow ? InterruptShadow.Sti : InterruptShadow.None;
        state.FlushTranslations();
        if ((state.Cr4 & Cr4ProtectionKeys) != 0)
        {
            Require(StateNeeds.Extended);
        }
    }

    /// <summary>Takes further state, once for a batch.</summary>
    public void Require(StateNeeds needs)
    {
        StateNeeds missing = needs & ~_loaded;
        IBackendVcpu? backend = _backend;
        if (missing == StateNeeds.None || backend is null)
        {
            return;
        }

        _loaded |= missing;
        if ((missing & StateNeeds.Extended) != 0)
        {
            LoadFpu(backend);
        }

        if ((missing & StateNeeds.Xcr0) != 0)
        {
            state.Xcr0 = _xcr0 = backend.GetRegister(RegisterName.Xcr0);
        }

        if ((missing & StateNeeds.Debug) != 0)
        {
            LoadDebug(backend);
        }

        _msrs.Load(backend, missing);
    }

    /// <summary>Gives back what differs from what was taken.</summary>
    public void Store(IBackendVcpu backend)
    {
        StoreSegments(backend);
        StoreControls(backend);
        if ((_loaded & StateNeeds.Xcr0) != 0 && state.Xcr0 != _xcr0)
        {
            backend.SetRegister(RegisterName.Xcr0, state.Xcr0);
            _xcr0 = state.Xcr0;
        }

        if (state.Dr6 != 0)
        {
            Require(StateNeeds.Debug);
            StoreDebug(backend);
        }

        _msrs.Store(backend);
        StoreFpu(backend);
        backend.GeneralRegisters = FromExecutor(in state.General, state.Rip, state.Rflags);
    }

    /// <summary>Reads a register that the hypervisor keeps; 0 if it has none.</summary>
    public ulong ReadMsr(uint index) => _backend is { } backend && backend.TryGetMsr(new MsrIndex(index), out ulong value) ? value : 0;

    private void LoadFpu(IBackendVcpu backend)
    {
        Span<byte> image = state.Extended.Image;
        _fpuLength = backend.GetFpu(image);
        image[.._fpuLength].CopyTo(_loadedFpu);
        _pkru = pkruOffset != 0 && pkruOffset + sizeof(uint) <= (uint)_fpuLength
            ? BinaryPrimitives.ReadUInt32LittleEndian(image[(int)pkruOffset..])
            : 0;
        state.Pkru = _pkru;
    }

    private void StoreFpu(IBackendVcpu backend)
    {
        if ((_loaded & StateNeeds.Extended) == 0)
        {
            return;
        }

        Span<byte> image = state.Extended.Image[.._fpuLength];
        if (state.Pkru != _pkru)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(image[(int)pkruOffset..], state.Pkru);
            _pkru = state.Pkru;
        }

        if (image.SequenceEqual(_loadedFpu.AsSpan(0, _fpuLength)))
        {
            return;
        }

        // In the executor's image every component is current, whatever its header says.
        BinaryPrimitives.WriteUInt64LittleEndian(image[XstateBv..], components);
        backend.SetFpu(image);
        image.CopyTo(_loadedFpu);
    }

    private void StoreSegments(IBackendVcpu backend)
    {
        for (int i = 0; i < s_segments.Length; i++)
        {
            ref readonly SegmentState segment = ref state.Segments[i];
            if (segment != _segments[i])
            {
                backend.SetRegister(s_segments[i], segment.Selector);
                backend.SetSegmentDescriptor(
                    s_segments[i], new SegmentDescriptor(segment.Base, segment.Limit, new SegmentAccess(segment.Access)));
            }
        }

        _segments = state.Segments;
    }

    private void StoreControls(IBackendVcpu backend)
    {
        Controls now = Controls.Of(state);
        if (now == _controls)
        {
            return;
        }

        if (now.Gdtr != _controls.Gdtr)
        {
            backend.SetSegmentDescriptor(RegisterName.Gdtr, new SegmentDescriptor(now.Gdtr.Base, now.Gdtr.Limit, default));
        }

        if (now.Idtr != _controls.Idtr)
        {
            backend.SetSegmentDescriptor(RegisterName.Idtr, new SegmentDescriptor(now.Idtr.Base, now.Idtr.Limit, default));
        }

        Put(RegisterName.Cr0, now.Cr0, _controls.Cr0);
        Put(RegisterName.Cr2, now.Cr2, _controls.Cr2);
        Put(RegisterName.Cr3, now.Cr3, _controls.Cr3);
        Put(RegisterName.Cr4, now.Cr4, _controls.Cr4);
        Put(RegisterName.Efer, now.Efer, _controls.Efer);
        _controls = now;

        void Put(RegisterName register, ulong value, ulong before)
        {
            if (value != before)
            {
                backend.SetRegister(register, value);
            }
        }
    }

    /// <summary>What a trap has put into DR6 before the debug registers were taken stays there.</summary>
    private void LoadDebug(IBackendVcpu backend)
    {
        ulong raised = state.Dr6;
        state.DebugAddresses[0] = backend.GetRegister(RegisterName.Dr0);
        state.DebugAddresses[1] = backend.GetRegister(RegisterName.Dr1);
        state.DebugAddresses[2] = backend.GetRegister(RegisterName.Dr2);
        state.DebugAddresses[3] = backend.GetRegister(RegisterName.Dr3);
        state.Dr6 = backend.GetRegister(RegisterName.Dr6);
        state.Dr7 = backend.GetRegister(RegisterName.Dr7) | DefaultDr7;
        _debug = DebugState.Of(state);
        state.Dr6 |= raised;
    }

    private void StoreDebug(IBackendVcpu backend)
    {
        DebugState now = DebugState.Of(state);
        if (now != _debug)
        {
            backend.SetRegister(RegisterName.Dr0, now.Dr0);
            backend.SetRegister(RegisterName.Dr1, now.Dr1);
            backend.SetRegister(RegisterName.Dr2, now.Dr2);
            backend.SetRegister(RegisterName.Dr3, now.Dr3);
            backend.SetRegister(RegisterName.Dr6, now.Dr6);
            backend.SetRegister(RegisterName.Dr7, now.Dr7);
            _debug = now;
        }
    }

    private static void ToExecutor(in GeneralRegisters from, ref ExecutorRegisters to)
    {
        to[0] = from.Rax;
        to[1] = from.Rcx;
        to[2] = from.Rdx;
        to[3] = from.Rbx;
        to[4] = from.Rsp;
        to[5] = from.Rbp;
        to[6] = from.Rsi;
        to[7] = from.Rdi;
        to[8] = from.R8;
        to[9] = from.R9;
        to[10] = from.R10;
        to[11] = from.R11;
        to[12] = from.R12;
        to[13] = from.R13;
        to[14] = from.R14;
        to[15] = from.R15;
    }

    private static GeneralRegisters FromExecutor(in ExecutorRegisters from, ulong rip, ulong rflags) => new()
    {
        Rax = from[0],
        Rcx = from[1],
        Rdx = from[2],
        Rbx = from[3],
        Rsp = from[4],
        Rbp = from[5],
        Rsi = from[6],
        Rdi = from[7],
        R8 = from[8],
        R9 = from[9],
        R10 = from[10],
        R11 = from[11],
        R12 = from[12],
        R13 = from[13],
        R14 = from[14],
        R15 = from[15],
        Rip = rip,
        Rflags = rflags,
    };

    private readonly record struct Controls(
        DescriptorTableRegister Gdtr,
        DescriptorTableRegister Idtr,
        ulong Cr0,
        ulong Cr2,
        ulong Cr3,
        ulong Cr4,
        ulong Efer)
    {
        public static Controls Of(CpuState state) =>
            new(state.Gdtr, state.Idtr, state.Cr0, state.Cr2, state.Cr3, state.Cr4, state.Efer);
    }

    private readonly record struct DebugState(ulong Dr0, ulong Dr1, ulong Dr2, ulong Dr3, ulong Dr6, ulong Dr7)
    {
        public static DebugState Of(CpuState state) => new(
            state.DebugAddresses[0], state.DebugAddresses[1], state.DebugAddresses[2], state.DebugAddresses[3], state.Dr6, state.Dr7);
    }
}
