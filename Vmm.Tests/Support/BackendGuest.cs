// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Tests.Support;

/// <summary>One vCPU of a backend, driven through the backend contract, with a little memory and a few bytes of code.</summary>
/// <remarks>
/// Memory lies at 0 to 2 MiB; everything above is memory-mapped input and output. Code begins at 0x1000, the stack ends at
/// 0x8000, page tables lie at 0x10000, and 0x20000 up is free for data.
/// </remarks>
internal class BackendGuest : IDisposable
{
    public const ulong CodeAddress = 0x1000;
    public const ulong StackTop = 0x8000;
    public const ulong DataAddress = 0x20000;
    public const ulong MemoryLength = 0x200000;

    private const ulong PageTables = 0x10000;

    private readonly IDisposable _placement;
    private readonly List<IDisposable> _more = [];
    private VmExit _exit;

    /// <summary>Makes a guest of a backend, which it owns from here on.</summary>
    public BackendGuest(
        IHypervisorBackend backend,
        InterruptControllerMode mode = InterruptControllerMode.Userspace,
        bool msrExits = true,
        bool tracksWrites = false,
        int cpus = 4)
    {
        Backend = backend;
        Vm = Backend.CreateVm(new BackendVmOptions("test", cpus, mode, false, msrExits, false));
        Memory = Backend.AllocateMemory(MemoryLength, default);
        _placement = Vm.PlaceMemory(new MemoryPlacement(
            GuestPhysicalRange.Create(default, MemoryLength), Memory, 0, ReadOnly: false, TrackDirty: tracksWrites));
        Cpu = Vm.CreateVcpu(new VcpuId(0));
        Cpu.SetCpuid(Backend.GetSupportedCpuid().AsSpan());
    }

    public IHypervisorBackend Backend { get; }

    public IBackendVm Vm { get; }

    public GuestMemoryBlock Memory { get; }

    public IBackendVcpu Cpu { get; }

    public ref readonly VmExit Exit => ref _exit;

    /// <summary>Which pages were written, if the guest was made to note them.</summary>
    public IDirtyLog WrittenPages => (IDirtyLog)_placement;

    /// <summary>Begins in real mode with flat segments at 0.</summary>
    public void BeginRealMode(ReadOnlySpan<byte> code)
    {
        foreach (RegisterName register in (ReadOnlySpan<RegisterName>)
            [RegisterName.Cs, RegisterName.Ds, RegisterName.Es, RegisterName.Ss])
        {
            Cpu.SetRegister(register, 0);
            Cpu.SetSegmentDescriptor(register, Cpu.GetSegmentDescriptor(register) with { Base = 0 });
        }

        Begin(code);
    }

    /// <summary>Begins in 64-bit kernel mode with the first 4 GiB mapped onto themselves.</summary>
    public void BeginLongMode(ReadOnlySpan<byte> code)
    {
        WritePageTables();
        Cpu.SetRegister(RegisterName.Cr3, PageTables);
        Cpu.SetRegister(RegisterName.Cr4, 1 << 5);
        Cpu.SetRegister(RegisterName.Efer, (1 << 8) | (1 << 10));
        Cpu.SetRegister(RegisterName.Cr0, 0x80000011);
        Cpu.SetRegister(RegisterName.Cs, 0x10);
        Cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xa09b)));
        foreach (RegisterName register in (ReadOnlySpan<RegisterName>)
            [RegisterName.Ds, RegisterName.Es, RegisterName.Ss])
        {
            Cpu.SetRegister(register, 0x18);
            Cpu.SetSegmentDescriptor(register, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xc093)));
        }

        Cpu.SetSegmentDescriptor(RegisterName.Tr, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x8b)));
        Begin(code);
    }

    /// <summary>Runs until the next exit, other than one for a kick.</summary>
    public ref readonly VmExit Run()
    {
        Cpu.BeginRun();
        try
        {
            do
            {
                Cpu.Run(ref _exit);
            }
            while (_exit.Code == ExitCode.Bogus);
        }
        finally
        {
            Cpu.EndRun();
        }

        return ref _exit;
    }

    /// <summary>Places more memory than there is at first.</summary>
    public void PlaceMore(ulong address, ulong length)
    {
        GuestMemoryBlock block = Backend.AllocateMemory(length, default);
        _more.Add(Vm.PlaceMemory(new MemoryPlacement(
            GuestPhysicalRange.Create(new(address), length), block, 0, ReadOnly: false, TrackDirty: false)));
        _more.Add(block);
    }

    public bool Complete() => Cpu.Complete(ref _exit);

    public Span<byte> MemoryAt(ulong address, int length) => Memory.GetSpan(address, length);

    public void Dispose()
    {
        Cpu.Dispose();
        _placement.Dispose();
        _more.ForEach(held => held.Dispose());
        Vm.Dispose();
        Memory.Dispose();
        Backend.Dispose();
    }

    private void Begin(ReadOnlySpan<byte> code)
    {
        code.CopyTo(MemoryAt(CodeAddress, code.Length));
        Cpu.SetRegister(RegisterName.Rip, CodeAddress);
        Cpu.SetRegister(RegisterName.Rsp, StackTop);
        Cpu.SetRegister(RegisterName.Rflags, 2);
    }

    private void WritePageTables()
    {
        const ulong PresentWritable = 3;
        const ulong Large = 0x80;
        Write(PageTables, PageTables + 0x1000 | PresentWritable);
        for (ulong gigabyte = 0; gigabyte < 4; gigabyte++)
        {
            ulong directory = PageTables + 0x2000 + (gigabyte * 0x1000);
            Write(PageTables + 0x1000 + (gigabyte * 8), directory | PresentWritable);
            for (ulong entry = 0; entry < 512; entry++)
            {
                Write(directory + (entry * 8), (gigabyte << 30) | (entry << 21) | Large | PresentWritable);
            }
        }

        void Write(ulong address, ulong value) =>
            BinaryPrimitives.WriteUInt64LittleEndian(MemoryAt(address, sizeof(ulong)), value);
    }
}
