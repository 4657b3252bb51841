// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Security.Cryptography;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Engine;
using Vmm.Machine.Boot;

namespace Vmm.Machine.Board;

/// <summary>A hash of a machine's memory and registers: two machines with the same one are in the same state there.</summary>
internal static class MachineHash
{
    private const int PageSize = 4096;
    private const int LongestFpu = 0x4000;

    private static readonly RegisterName[] s_registers =
    [
        RegisterName.Cr0, RegisterName.Cr2, RegisterName.Cr3, RegisterName.Cr4, RegisterName.Efer, RegisterName.Xcr0, RegisterName.Dr0,
        RegisterName.Dr1, RegisterName.Dr2, RegisterName.Dr3, RegisterName.Dr6, RegisterName.Dr7, RegisterName.Es, RegisterName.Cs,
        RegisterName.Ss, RegisterName.Ds, RegisterName.Fs, RegisterName.Gs, RegisterName.Ldtr, RegisterName.Tr,
    ];

    /// <summary>Computes it. No vCPU executes meanwhile but the calling thread's own.</summary>
    /// <returns>SHA-256 in hexadecimal digits.</returns>
    public static string Compute(IGuestMemory memory, PcMemoryLayout layout, IEnumerable<VirtualCpu> vcpus)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        AddRange(hash, memory, 0, layout.LowRamEnd);
        if (layout.HighRamEnd > PcMemoryLayout.FourGiB)
        {
            AddRange(hash, memory, PcMemoryLayout.FourGiB, layout.HighRamEnd);
        }

        foreach (VirtualCpu vcpu in vcpus)
        {
            AddRegisters(hash, vcpu);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Pages of zeros say nothing but where the others are.</summary>
    private static void AddRange(IncrementalHash hash, IGuestMemory memory, ulong first, ulong end)
    {
        byte[] page = new byte[PageSize];
        for (ulong address = first; address < end; address += PageSize)
        {
            if (memory.TryRead(new GuestPhysicalAddress(address), page) && page.AsSpan().ContainsAnyExcept((byte)0))
            {
                Add(hash, address);
                hash.AppendData(page);
            }
        }
    }

    private static void AddRegisters(IncrementalHash hash, VirtualCpu vcpu)
    {
        GeneralRegisters general = vcpu.GeneralRegisters;
        foreach (ulong value in (ReadOnlySpan<ulong>)
            [
                general.Rax, general.Rbx, general.Rcx, general.Rdx, general.Rsi, general.Rdi, general.Rbp, general.Rsp, general.R8,
                general.R9, general.R10, general.R11, general.R12, general.R13, general.R14, general.R15, general.Rip, general.Rflags,
            ])
        {
            Add(hash, value);
        }

        foreach (RegisterName register in s_registers)
        {
            Add(hash, vcpu.GetRegister(register));
        }

        for (RegisterName register = RegisterName.Es; register <= RegisterName.Gdtr; register++)
        {
            SegmentDescriptor descriptor = vcpu.GetSegmentDescriptor(register);
            Add(hash, descriptor.Base);
            Add(hash, descriptor.Limit | ((ulong)descriptor.Access.Value << 32));
        }

        byte[] fpu = new byte[LongestFpu];
        hash.AppendData(fpu, 0, vcpu.GetFpu(fpu));
    }

    private static void Add(IncrementalHash hash, ulong value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        hash.AppendData(bytes);
    }
}
