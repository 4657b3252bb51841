// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Kvm;

/// <summary>A VM for guests of a few bytes that find out something about the host: flat 64-bit mode, no interrupt controller.</summary>
internal sealed class ProbeGuest : IDisposable
{
    /// <summary>Where the code is.</summary>
    public const ulong Code = 0x4000;

    private const ulong MemorySize = 2 << 20;
    private const ulong RootTable = 0x1000;
    private const ulong PointerTable = 0x2000;
    private const ulong Directory = 0x3000;
    private const ulong Present = 0x3;
    private const ulong User = 0x4;
    private const ulong Large = 0x80;
    private const int LargePages = 512;

    private readonly KvmBackend _backend;
    private readonly GuestMemoryBlock _memory;
    private readonly IBackendVm _vm;

    /// <summary>Makes a VM whose first GiB is mapped one to one, with memory in the first 2 MiB.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="name">The VM's name.</param>
    /// <param name="cpus">How many vCPUs it may have.</param>
    /// <param name="isUserMemory">Whether user mode may use it.</param>
    public ProbeGuest(KvmBackend backend, string name, int cpus, bool isUserMemory)
    {
        _backend = backend;
        _memory = backend.AllocateMemory(MemorySize, new GuestMemoryOptions(name));
        _vm = backend.CreateVm(new BackendVmOptions(
            name, cpus, InterruptControllerMode.Userspace, TrackDirty: false, MsrExits: false, HypercallExits: false));
        _vm.PlaceMemory(new MemoryPlacement(
            GuestPhysicalRange.Create(new GuestPhysicalAddress(0), MemorySize), _memory, 0, ReadOnly: false, TrackDirty: false));
        ulong rights = Present | (isUserMemory ? User : 0);
        WriteEntry(RootTable, PointerTable | rights);
        WriteEntry(PointerTable, Directory | rights);
        for (int page = 0; page < LargePages; page++)
        {
            WriteEntry(Directory + ((ulong)page * sizeof(ulong)), ((ulong)page << 21) | Large | rights);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _vm.Dispose();
        _memory.Dispose();
    }

    /// <summary>A vCPU with everything that the hypervisor can give, to be disposed before this.</summary>
    public KvmVcpu CreateVcpu(int id)
    {
        KvmVcpu vcpu = (KvmVcpu)_vm.CreateVcpu(new VcpuId(id));
        vcpu.SetCpuid(_backend.GetSupportedCpuid().AsSpan());
        return vcpu;
    }

    /// <summary>Replaces the code.</summary>
    public void Write(ReadOnlySpan<byte> code) => code.CopyTo(_memory.GetSpan(Code, code.Length));

    /// <summary>Flat 64-bit segments over the tables (Intel SDM volume 3, initializing IA-32e mode).</summary>
    public static void EnterLongMode(KvmVcpu vcpu, bool user)
    {
        const ulong Pae = 1 << 5;
        const ulong LongModeActive = 0x500;
        const ulong PagedProtected = 0x8000_0031;
        const uint CodeAccess = 0xa09b;
        const uint DataAccess = 0xc093;
        uint privilege = user ? 3u << 5 : 0;
        int requested = user ? 3 : 0;
        vcpu.SetRegister(RegisterName.Cr3, RootTable);
        vcpu.SetRegister(RegisterName.Cr4, Pae);
        vcpu.SetRegister(RegisterName.Efer, LongModeActive);
        vcpu.SetRegister(RegisterName.Cr0, PagedProtected);
        SetSegment(RegisterName.Cs, 0x10, CodeAccess);
        ReadOnlySpan<RegisterName> data =
            [RegisterName.Ds, RegisterName.Es, RegisterName.Fs, RegisterName.Gs, RegisterName.Ss];
        foreach (RegisterName register in data)
        {
            SetSegment(register, 0x18, DataAccess);
        }

        void SetSegment(RegisterName register, int selector, uint access)
        {
            vcpu.SetRegister(register, (ulong)(selector | requested));
            vcpu.SetSegmentDescriptor(register, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(access | privilege)));
        }
    }

    private void WriteEntry(ulong address, ulong value) =>
        BinaryPrimitives.WriteUInt64LittleEndian(_memory.GetSpan(address, sizeof(ulong)), value);
}
