// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Tests.Support;

/// <summary>A vCPU of the scripted backend: its state, in plain arrays and dictionaries.</summary>
internal sealed partial class FakeVcpu : IBackendVcpu
{
    public const int FpuLength = 832;

    private const int RegisterCount = (int)RegisterName.Xcr0 + 1;

    private readonly FakeVm _machine;
    private readonly ulong[] _registers = new ulong[RegisterCount];
    private readonly ulong[] _held = new ulong[RegisterCount];
    private readonly bool[] _isHeld = new bool[RegisterCount];
    private readonly Dictionary<RegisterName, SegmentDescriptor> _descriptors = [];
    private readonly Dictionary<uint, ulong> _msrs = KnownMsrs.ToDictionary(index => index, _ => 0ul);
    private readonly Dictionary<VcpuCapability, bool> _capabilities = new() { [VcpuCapability.HaltExit] = true };
    private readonly byte[] _fpu = new byte[FpuLength];
    private BackendEvents _events;

    public FakeVcpu(FakeVm machine, VcpuId id)
    {
        _machine = machine;
        Id = id;
        TscOffset = machine.Backend.TscOffset;
        _registers[(int)RegisterName.Rflags] = 2;
        _registers[(int)RegisterName.Xcr0] = 1;
    }

    /// <summary>EFER and its relatives, PAT, the APIC base, and the MTRRs.</summary>
    public static IReadOnlyList<uint> KnownMsrs { get; } =
    [
        0x1b, 0x174, 0x175, 0x176, 0x277, 0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100,
        0xc0000101, 0xc0000102, 0xfe, 0x2ff, 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f,
        .. Enumerable.Range(0x200, 20).Select(index => (uint)index),
    ];

    public VcpuId Id { get; }

    public bool IsDisposed { get; private set; }

    /// <summary>The CPUID entries given last, and how often.</summary>
    public CpuidEntry[] Cpuid { get; private set; } = [];

    public int CpuidCalls { get; private set; }

    /// <summary>What setting CPUID fails with, or null.</summary>
    public VmmException? CpuidRefusal { get; set; }

    public ulong? TscOffset { get; set; }

    /// <summary>The registers in the order in which they were written, for those who look at the order.</summary>
    public List<RegisterName> Writes { get; } = [];

    /// <summary>Whether the engine may have single instructions executed here, each a step of the script.</summary>
    public bool CanRunOne { get; set; }

    public BackendActivity Activity
    {
        get => ActivityWhenAsked?.Invoke() ?? field;
        set;
    }

    /// <summary>What it does when somebody looks, if that differs from one look to the next.</summary>
    public Func<BackendActivity>? ActivityWhenAsked { get; set; }

    public bool InterruptWindowRequested { get; set; }

    public byte TaskPriority { get; set; }

    public long TscDeadlineFrequency { get; set; }

    public GeneralRegisters GeneralRegisters
    {
        get => new()
        {
            Rax = GetRegister(RegisterName.Rax),
            Rbx = GetRegister(RegisterName.Rbx),
            Rcx = GetRegister(RegisterName.Rcx),
            Rdx = GetRegister(RegisterName.Rdx),
            Rsi = GetRegister(RegisterName.Rsi),
            Rdi = GetRegister(RegisterName.Rdi),
            Rsp = GetRegister(RegisterName.Rsp),
            Rbp = GetRegister(RegisterName.Rbp),
            R8 = GetRegister(RegisterName.R8),
            R9 = GetRegister(RegisterName.R9),
            R10 = GetRegister(RegisterName.R10),
            R11 = GetRegister(RegisterName.R11),
            R12 = GetRegister(RegisterName.R12),
            R13 = GetRegister(RegisterName.R13),
            R14 = GetRegister(RegisterName.R14),
            R15 = GetRegister(RegisterName.R15),
            Rip = GetRegister(RegisterName.Rip),
            Rflags = GetRegister(RegisterName.Rflags),
        };

        set
        {
            SetRegister(RegisterName.Rax, value.Rax);
            SetRegister(RegisterName.Rbx, value.Rbx);
            SetRegister(RegisterName.Rcx, value.Rcx);
            SetRegister(RegisterName.Rdx, value.Rdx);
            SetRegister(RegisterName.Rsi, value.Rsi);
            SetRegister(RegisterName.Rdi, value.Rdi);
            SetRegister(RegisterName.Rsp, value.Rsp);
            SetRegister(RegisterName.Rbp, value.Rbp);
            SetRegister(RegisterName.R8, value.R8);
            SetRegister(RegisterName.R9, value.R9);
            SetRegister(RegisterName.R10, value.R10);
            SetRegister(RegisterName.R11, value.R11);
            SetRegister(RegisterName.R12, value.R12);
            SetRegister(RegisterName.R13, value.R13);
            SetRegister(RegisterName.R14, value.R14);
            SetRegister(RegisterName.R15, value.R15);
            SetRegister(RegisterName.Rip, value.Rip);
            SetRegister(RegisterName.Rflags, value.Rflags);
        }
    }

    /// <summary>The event state. Setting a register drops a pending exception, as KVM does: registers come first.</summary>
    public BackendEvents Events
    {
        get
        {
            Use();
            return _events;
        }

        set
        {
            Use();
            _events = value;
        }
    }

    public bool IsReadyForInterrupt =>
        (_registers[(int)RegisterName.Rflags] & (1 << 9)) != 0 && !_events.InterruptShadow && !_events.Injected.IsValid;

    public ulong GetRegister(RegisterName register)
    {
        Use();
        if (register == RegisterName.InterruptShadow)
        {
            return _events.InterruptShadow ? 1u : 0u;
        }

        Require(register != RegisterName.EntryInstructionLength, "vmgetreg", register);
        return _isHeld[(int)register] ? _held[(int)register] : _registers[(int)register];
    }

    public void SetRegister(RegisterName register, ulong value)
    {
        Use();
        if (register == RegisterName.InterruptShadow)
        {
            _events = _events with { InterruptShadow = value != 0 };
            return;
        }

        Require(register != RegisterName.EntryInstructionLength, "vmsetreg", register);
        Writes.Add(register);
        if (HoldsWrites)
        {
            _held[(int)register] = value;
            _isHeld[(int)register] = true;
            return;
        }

        _registers[(int)register] = register is >= RegisterName.Es and <= RegisterName.Tr ? (ushort)value : value;
        _events = _events with { Pending = default };
    }

    public SegmentDescriptor GetSegmentDescriptor(RegisterName register)
    {
        Use();
        return _descriptors.GetValueOrDefault(register);
    }

    public void SetSegmentDescriptor(RegisterName register, in SegmentDescriptor descriptor)
    {
        Use();
        _descriptors[register] = register is RegisterName.Gdtr or RegisterName.Idtr
            ? descriptor with { Access = default }
            : descriptor;
    }

    public int GetFpu(Span<byte> destination)
    {
        Use();
        if (destination.Length < FpuLength)
        {
            throw new VmmException("vm_get_fpu", VmmError.ENOSPC, $"the image has {FpuLength} bytes");
        }

        _fpu.CopyTo(destination);
        return FpuLength;
    }

    public void SetFpu(ReadOnlySpan<byte> source)
    {
        Use();
        if (source[520..528].ContainsAnyExcept((byte)0))
        {
            throw new VmmException("vm_set_fpu", VmmError.EINVAL, "the image is compacted");
        }

        if ((BitConverter.ToUInt64(source[512..520]) & ~FakeBackend.Xcr0Limit) != 0)
        {
            throw new VmmException("vm_set_fpu", VmmError.EINVAL, "the host lacks a component");
        }

        source[..Math.Min(source.Length, FpuLength)].CopyTo(_fpu);
    }

    public bool TryGetMsr(MsrIndex index, out ulong value)
    {
        Use();
        return _msrs.TryGetValue(index.Value, out value);
    }

    public bool TrySetMsr(MsrIndex index, ulong value)
    {
        Use();
        bool known = _msrs.ContainsKey(index.Value);
        if (known)
        {
            _msrs[index.Value] = value;
        }

        return known;
    }

    public int MemoryWrittenCalls { get; private set; }

    public int ForgetTranslationsCalls { get; private set; }

    public void MemoryWritten()
    {
        Use();
        MemoryWrittenCalls++;
    }

    public void ForgetTranslations()
    {
        Use();
        ForgetTranslationsCalls++;
    }

    public bool TryGetTscOffset(out ulong offset)
    {
        Use();
        offset = TscOffset ?? 0;
        return TscOffset is not null;
    }

    /// <summary>Lets the script have a further capability, off at first.</summary>
    public void Offer(VcpuCapability capability) => _capabilities[capability] = false;

    public bool GetCapability(VcpuCapability capability)
    {
        Use();
        return _capabilities.TryGetValue(capability, out bool enabled)
            ? enabled
            : throw new VmmException("vmgetcap", VmmError.ENOENT, $"the script has no {capability}");
    }

    public void SetCapability(VcpuCapability capability, bool enabled)
    {
        Use();
        if (!_capabilities.ContainsKey(capability))
        {
            throw new VmmException("vmsetcap", VmmError.ENOENT, $"the script has no {capability}");
        }

        _capabilities[capability] = enabled;
    }

    public void SetCpuid(ReadOnlySpan<CpuidEntry> entries)
    {
        Use();
        if (CpuidRefusal is { } refusal)
        {
            throw refusal;
        }

        if (_hasRun)
        {
            throw new VmmException("SetCpuid", VmmError.EBUSY, "the vCPU has run");
        }

        Cpuid = entries.ToArray();
        CpuidCalls++;
    }

    private static void Require(bool holds, string operation, RegisterName register)
    {
        if (!holds)
        {
            throw new VmmException(operation, VmmError.EINVAL, $"the script has no {register}");
        }
    }
}
