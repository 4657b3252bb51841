// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Diagnostics;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Kvm;

/// <summary>A guest of a few bytes whose loops are timed: 64-bit mode, CPL 0, no interrupt controller.</summary>
internal sealed class KvmProbe : IDisposable
{
    private const ulong MemorySize = 2 << 20;
    private const ulong RootTable = 0x1000;
    private const ulong PointerTable = 0x2000;
    private const ulong Directory = 0x3000;
    private const ulong Code = 0x4000;
    private const ulong UnmappedAddress = 0x1000_0000;
    private const ulong TableEntry = 0x3;
    private const ulong LargePage = 0x83;
    private const int LargePages = 512;
    private const int Exits = 2000;
    private const ulong FirstIterations = 20_000;
    private const ulong MostIterations = 500_000_000;
    private const int InstructionsPerIteration = 2;
    private static readonly TimeSpan s_loopTime = TimeSpan.FromMilliseconds(100);

    // dec ecx / jnz, then hlt
    private static readonly byte[] s_countDown = [0xff, 0xc9, 0x75, 0xfc, 0xf4];

    // out 0x80, al / dec ecx / jnz, then hlt
    private static readonly byte[] s_portLoop = [0xe6, 0x80, 0xff, 0xc9, 0x75, 0xfa, 0xf4];

    // mov [rdi], eax / dec ecx / jnz, then hlt
    private static readonly byte[] s_mmioLoop = [0x89, 0x07, 0xff, 0xc9, 0x75, 0xfa, 0xf4];

    private readonly KvmBackend _backend;
    private readonly GuestMemoryBlock _memory;
    private readonly IBackendVm _vm;
    private readonly IBackendVcpu _vcpu;

    private KvmProbe(KvmBackend backend)
    {
        _backend = backend;
        _memory = backend.AllocateMemory(MemorySize, new GuestMemoryOptions("probe"));
        _vm = backend.CreateVm(new BackendVmOptions(
            "probe", 1, InterruptControllerMode.Userspace, TrackDirty: false, MsrExits: false, HypercallExits: false));
        GuestPhysicalRange range = GuestPhysicalRange.Create(new GuestPhysicalAddress(0), MemorySize);
        _vm.PlaceMemory(new MemoryPlacement(range, _memory, 0, ReadOnly: false, TrackDirty: false));
        WriteTables();
        _vcpu = _vm.CreateVcpu(new VcpuId(0));
        _vcpu.SetCpuid(backend.GetSupportedCpuid().AsSpan());
        EnterLongMode();
    }

    /// <summary>Measures on a device.</summary>
    /// <exception cref="VmmException">The host refuses the guest, or the guest does not do what its code says.</exception>
    public static KvmMeasurements Measure(string path)
    {
        using KvmBackend backend = KvmBackend.Open(new KvmBackendOptions { DevicePath = path });
        using KvmProbe probe = new(backend);
        double instruction = probe.MeasureInstruction();
        double port = probe.Time(s_portLoop, Exits) / Exits;
        double mmio = probe.Time(s_mmioLoop, Exits) / Exits;
        double loop = InstructionsPerIteration * instruction;
        return new KvmMeasurements(
            TimeSpan.FromSeconds(Math.Max(0, port - loop)), TimeSpan.FromSeconds(Math.Max(0, mmio - loop)), 1 / instruction);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _vcpu.Dispose();
        _vm.Dispose();
        _memory.Dispose();
    }

    private double MeasureInstruction()
    {
        double first = Time(s_countDown, FirstIterations);
        double scale = Math.Clamp(s_loopTime.TotalSeconds / first, 1, MostIterations / (double)FirstIterations);
        ulong iterations = (ulong)(FirstIterations * scale);
        return Time(s_countDown, iterations) / (iterations * InstructionsPerIteration);
    }

    /// <summary>Runs a loop to its HLT.</summary>
    /// <returns>Seconds.</returns>
    private double Time(ReadOnlySpan<byte> code, ulong iterations)
    {
        code.CopyTo(_memory.GetSpan(Code, code.Length));
        _vcpu.GeneralRegisters = new GeneralRegisters { Rip = Code, Rcx = iterations, Rdi = UnmappedAddress, Rflags = 2 };
        VmExit exit = default;
        long start = Stopwatch.GetTimestamp();
        _vcpu.BeginRun();
        try
        {
            while (true)
            {
                _vcpu.Run(ref exit);
                if (exit.Code is ExitCode.Inout or ExitCode.Mmio)
                {
                    _vcpu.Fulfill();
                }
                else if (exit.Code == ExitCode.Hlt)
                {
                    return Stopwatch.GetElapsedTime(start).TotalSeconds;
                }
                else if (exit.Code != ExitCode.Bogus)
                {
                    throw new VmmException("probe", VmmError.EIO, $"a loop of three instructions ended in {exit}");
                }
            }
        }
        finally
        {
            _vcpu.EndRun();
        }
    }

    private void WriteTables()
    {
        WriteEntry(RootTable, PointerTable | TableEntry);
        WriteEntry(PointerTable, Directory | TableEntry);
        for (int page = 0; page < LargePages; page++)
        {
            WriteEntry(Directory + ((ulong)page * sizeof(ulong)), ((ulong)page << 21) | LargePage);
        }
    }

    private void WriteEntry(ulong address, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(_memory.GetSpan(address, sizeof(ulong)), value);

    /// <summary>Flat 64-bit segments over the tables (Intel SDM volume 3, section 10.8.5).</summary>
    private void EnterLongMode()
    {
        const ulong Pae = 1 << 5;
        const ulong LongModeActive = 0x500;
        const ulong PagedProtected = 0x8000_0031;
        _vcpu.SetRegister(RegisterName.Cr3, RootTable);
        _vcpu.SetRegister(RegisterName.Cr4, Pae);
        _vcpu.SetRegister(RegisterName.Efer, LongModeActive);
        _vcpu.SetRegister(RegisterName.Cr0, PagedProtected);
        SetSegment(RegisterName.Cs, 0x10, 0xa09b);
        ReadOnlySpan<RegisterName> data =
            [RegisterName.Ds, RegisterName.Es, RegisterName.Fs, RegisterName.Gs, RegisterName.Ss];
        foreach (RegisterName register in data)
        {
            SetSegment(register, 0x18, 0xc093);
        }
    }

    private void SetSegment(RegisterName register, ushort selector, uint access)
    {
        _vcpu.SetRegister(register, selector);
        _vcpu.SetSegmentDescriptor(register, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(access)));
    }
}
