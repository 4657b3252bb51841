// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;

namespace Vmm.Engine;

/// <summary>
/// The state of a processor after reset and INIT (Intel SDM volume 3, processor state after reset), as bhyve sets it.
/// </summary>
internal static class BackendVcpuReset
{
    /// <summary>More than the standard-format XSAVE area of any processor: with the AMX tiles it has 11008 bytes.</summary>
    private const int FpuSize = 4096 * 8;

    private const int XStateBvOffset = 512;

    private static readonly RegisterName[] s_zeroed =
    [
        RegisterName.Rax, RegisterName.Rbx, RegisterName.Rcx, RegisterName.Rsi, RegisterName.Rdi, RegisterName.Rbp,
        RegisterName.Rsp, RegisterName.R8, RegisterName.R9, RegisterName.R10, RegisterName.R11, RegisterName.R12,
        RegisterName.R13, RegisterName.R14, RegisterName.R15, RegisterName.Cr2, RegisterName.Dr0, RegisterName.Dr1,
        RegisterName.Dr2, RegisterName.Dr3,
    ];

    private static readonly RegisterName[] s_dataSegments =
        [RegisterName.Ss, RegisterName.Ds, RegisterName.Es, RegisterName.Fs, RegisterName.Gs];

    /// <summary>The MTRRs: default type, the fixed ranges and ten variable pairs.</summary>
    private static readonly uint[] s_mtrrs =
    [
        0x2ff, 0x250, 0x258, 0x259, .. Enumerable.Range(0x268, 8).Select(index => (uint)index),
        .. Enumerable.Range(0x200, 20).Select(index => (uint)index),
    ];

    public static void Apply(IBackendVcpu backend, bool initOnly)
    {
        foreach (RegisterName register in s_zeroed)
        {
            backend.SetRegister(register, 0);
        }

        // Paging must be off before long mode, and both before CR4: no combination in between is refused by a hypervisor
        // that checks.
        backend.SetRegister(RegisterName.Cr0, 0x60000010);
        backend.SetRegister(RegisterName.Efer, 0);
        backend.SetRegister(RegisterName.Cr4, 0);
        backend.SetRegister(RegisterName.Cr3, 0);
        backend.SetRegister(RegisterName.Rflags, 2);
        backend.SetRegister(RegisterName.Rip, 0xfff0);
        backend.SetRegister(RegisterName.Rdx, 0x600);
        backend.SetRegister(RegisterName.Dr6, 0xffff0ff0);
        backend.SetRegister(RegisterName.Dr7, 0x400);

        SetSegment(backend, RegisterName.Cs, 0xf000, new SegmentDescriptor(0xffff0000, 0xffff, new SegmentAccess(0x93)));
        foreach (RegisterName register in s_dataSegments)
        {
            SetSegment(backend, register, 0, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x93)));
        }

        SetSegment(backend, RegisterName.Ldtr, 0, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x82)));
        SetSegment(backend, RegisterName.Tr, 0, new SegmentDescriptor(0, 0xffff, new SegmentAccess(0x8b)));
        backend.SetSegmentDescriptor(RegisterName.Gdtr, new SegmentDescriptor(0, 0xffff, default));
        backend.SetSegmentDescriptor(RegisterName.Idtr, new SegmentDescriptor(0, 0xffff, default));
        if (!initOnly)
        {
            backend.SetRegister(RegisterName.Xcr0, 1);
            ResetFpu(backend);
            foreach (uint index in s_mtrrs)
            {
                _ = backend.TrySetMsr(new MsrIndex(index), 0);
            }
        }

        backend.Events = default;
    }

    private static void SetSegment(
        IBackendVcpu backend, RegisterName register, ushort selector, in SegmentDescriptor descriptor)
    {
        backend.SetRegister(register, selector);
        backend.SetSegmentDescriptor(register, descriptor);
    }

    /// <summary>
    /// Gives the FPU its initial state: every component in its initial configuration but for x87 and SSE, whose control
    /// words are written out (Intel SDM volume 1, section 13.6).
    /// </summary>
    private static void ResetFpu(IBackendVcpu backend)
    {
        byte[] buffer = new byte[FpuSize];
        int length = backend.GetFpu(buffer);
        Span<byte> image = buffer.AsSpan(0, length);
        image.Clear();
        BinaryPrimitives.WriteUInt16LittleEndian(image, 0x37f);
        BinaryPrimitives.WriteUInt32LittleEndian(image[24..], 0x1f80);
        BinaryPrimitives.WriteUInt64LittleEndian(image[XStateBvOffset..], 3);
        backend.SetFpu(image);
    }
}
