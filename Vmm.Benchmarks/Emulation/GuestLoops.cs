// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Benchmarks.Emulation;

/// <summary>Endless guest loops on a flat CPU with 1 MiB of memory.</summary>
internal static class GuestLoops
{
    internal const int Code = 0x8000;

    /// <summary>
    /// add eax, ecx; xor edx, eax; inc ecx; lea ebx, [eax+ecx*2+3]; shl esi, 1; sub edi, ebx; test edi, edi; jmp start
    /// </summary>
    internal static readonly byte[] RegisterCode =
        [0x01, 0xC8, 0x31, 0xC2, 0xFF, 0xC1, 0x8D, 0x5C, 0x48, 0x03, 0xD1, 0xE6, 0x29, 0xDF, 0x85, 0xFF, 0xEB, 0xEE];

    /// <summary>
    /// start: mov esi, 0x10000; mov edi, 0x20000; mov ecx, 0x1000; next: mov eax, [esi]; mov [edi], eax; add esi, 4; add edi, 4;
    /// dec ecx; jnz next; jmp start
    /// </summary>
    internal static readonly byte[] CopyCode =
    [
        0xBE, 0x00, 0x00, 0x01, 0x00, 0xBF, 0x00, 0x00, 0x02, 0x00, 0xB9, 0x00, 0x10, 0x00, 0x00,
        0x8B, 0x06, 0x89, 0x07, 0x83, 0xC6, 0x04, 0x83, 0xC7, 0x04, 0xFF, 0xC9, 0x75, 0xF2, 0xEB, 0xE1,
    ];

    /// <summary>addsd xmm0, xmm1; mulsd xmm2, xmm3; addsd xmm0, xmm1; mulsd xmm2, xmm3; subsd xmm0, xmm1; mulsd xmm2, xmm3; jmp start</summary>
    internal static readonly byte[] DoubleCode =
    [
        0xF2, 0x0F, 0x58, 0xC1, 0xF2, 0x0F, 0x59, 0xD3, 0xF2, 0x0F, 0x58, 0xC1, 0xF2, 0x0F, 0x59, 0xD3, 0xF2, 0x0F, 0x5C, 0xC1, 0xF2, 0x0F, 0x59, 0xD3,
        0xEB, 0xE6,
    ];

    /// <summary>fadd st, st(1); fsub st, st(1); fxch st(2); fxch st(2); fmul st, st(3); fadd st, st(1); jmp start</summary>
    internal static readonly byte[] X87Code =
        [0xD8, 0xC1, 0xD8, 0xE1, 0xD9, 0xCA, 0xD9, 0xCA, 0xD8, 0xCB, 0xD8, 0xC1, 0xEB, 0xF2];

    /// <summary>
    /// Multiplies a number of 256 words by one and adds: start: mov ecx, 256; mov esi, 0x10000; mov edi, 0x20000; xor r8d, r8d;
    /// next: mov rax, [rsi]; mul r9; add rax, r8; adc rdx, 0; add [rdi], rax; adc rdx, 0; mov r8, rdx; add rsi, 8; add rdi, 8;
    /// dec ecx; jnz next; jmp start
    /// </summary>
    internal static readonly byte[] BigNumberCode =
    [
        0xB9, 0x00, 0x01, 0x00, 0x00, 0xBE, 0x00, 0x00, 0x01, 0x00, 0xBF, 0x00, 0x00, 0x02, 0x00, 0x45, 0x31, 0xC0, 0x48,
        0x8B, 0x06, 0x49, 0xF7, 0xE1, 0x4C, 0x01, 0xC0, 0x48, 0x83, 0xD2, 0x00, 0x48, 0x01, 0x07, 0x48, 0x83, 0xD2, 0x00,
        0x49, 0x89, 0xD0, 0x48, 0x83, 0xC6, 0x08, 0x48, 0x83, 0xC7, 0x08, 0xFF, 0xC9, 0x75, 0xDD, 0xEB, 0xC9,
    ];

    internal static FlatCpu Doubles()
    {
        FlatCpu cpu = Create(DoubleCode, paging: false);
        cpu.State.Cr4 |= 0x600;
        foreach ((int register, double value) in (ReadOnlySpan<(int, double)>)[(0, 1.5), (1, 0.1), (2, 1.25), (3, 1.0)])
        {
            BitConverter.TryWriteBytes(cpu.State.Extended.Image[(160 + register * 16)..], value);
        }

        return cpu;
    }

    internal static FlatCpu X87()
    {
        FlatCpu cpu = Create(X87Code, paging: false);
        for (int register = 0; register < 4; register++)
        {
            // 1.0, and numbers that do not add to it exactly.
            BitConverter.TryWriteBytes(cpu.State.Extended.Image[(32 + register * 16)..], register is 1 or 2 ? 0xCCCC_CCCC_CCCC_CCCD : 1UL << 63);
            BitConverter.TryWriteBytes(cpu.State.Extended.Image[(40 + register * 16)..], (ushort)(register is 1 or 2 ? 0x3FFB : 0x3FFF));
        }

        cpu.State.Extended.Image[4] = 0xFF;
        return cpu;
    }

    internal static FlatCpu Registers() => Create(RegisterCode, paging: false);

    internal static FlatCpu Copy() => Create(CopyCode, paging: false);

    internal static FlatCpu CopyPaged() => Create(CopyCode, paging: true);

    internal static FlatCpu RegistersPaged() => Create(RegisterCode, paging: true);

    internal static FlatCpu BigNumbersPaged() => Create(BigNumberCode, paging: true);

    /// <summary>64-bit with identity-mapped 2 MiB pages, or 32-bit without paging.</summary>
    private static FlatCpu Create(byte[] code, bool paging)
    {
        byte[] memory = new byte[1 << 20];
        code.CopyTo(memory, Code);
        CpuState state = new() { Rip = Code, Cr0 = 0x11 };
        state.Segments[(int)SegmentName.Cs] = new() { Access = 0xC09B, Limit = uint.MaxValue, Selector = 8 };
        foreach (SegmentName segment in (ReadOnlySpan<SegmentName>)[SegmentName.Es, SegmentName.Ss, SegmentName.Ds, SegmentName.Fs, SegmentName.Gs])
        {
            state.Segments[(int)segment] = new() { Access = 0xC093, Limit = uint.MaxValue, Selector = 16 };
        }

        if (paging)
        {
            BitConverter.TryWriteBytes(memory.AsSpan(0x1000), 0x2003UL);
            BitConverter.TryWriteBytes(memory.AsSpan(0x2000), 0x3003UL);
            BitConverter.TryWriteBytes(memory.AsSpan(0x3000), 0x83UL);
            state.Cr0 = 0x8001_0011;
            state.Cr3 = 0x1000;
            state.Cr4 = 0x20;
            state.Efer = 0x500;
            state.Segments[(int)SegmentName.Cs] = new() { Access = 0xA09B, Limit = uint.MaxValue, Selector = 8 };
        }

        return new(state, memory, new FlatDevices());
    }
}
