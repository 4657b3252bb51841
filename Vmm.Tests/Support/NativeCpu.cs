// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Vmm.Tests.Support;

/// <summary>
/// Runs one user-mode instruction on the processor that runs the tests: a stub loads all registers but RSP, executes the
/// bytes, and stores the registers. The caller vouches that the bytes do not fault, jump, or touch RSP or foreign memory.
/// </summary>
internal sealed unsafe partial class NativeCpu : IDisposable
{
    /// <summary>Bytes of memory that instructions may access, from <see cref="DataAddress"/> on.</summary>
    internal const int DataSize = 4096;

    internal const int ExtendedSize = 832;

    private const int Pages = 8 * 4096;
    private const int General = 0x1000;
    private const int FlagsIn = 0x1080;
    private const int FlagsOut = 0x1088;
    private const int SavedMxcsr = 0x1090;
    private const int SavedControl = 0x1098;
    private const int ExtendedIn = 0x2000;
    private const int ExtendedOut = 0x3000;
    private const int Data = 0x4000;
    private const int Instruction = 0x200;

    private readonly byte* _base;

    internal NativeCpu()
    {
        const int ReadWriteExecute = 7;
        const int PrivateAnonymous = 0x22;
        nint address = MemoryMap(0, Pages, ReadWriteExecute, PrivateAnonymous, -1, 0);
        if (address == -1)
        {
            throw new InvalidOperationException($"mmap failed: {Marshal.GetLastPInvokeError()}");
        }

        _base = (byte*)address;
        List<byte> prologue = [];
        Emit(prologue, 0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57, 0x9C);
        EmitRelative(prologue, 0, SavedMxcsr, 0x0F, 0xAE, 0x1D);
        EmitRelative(prologue, 0, SavedControl, 0xD9, 0x3D);
        Emit(prologue, 0xB8, 7, 0, 0, 0, 0x31, 0xD2);
        EmitRelative(prologue, 0, ExtendedIn, 0x48, 0x0F, 0xAE, 0x2D);
        EmitRelative(prologue, 0, FlagsIn, 0xFF, 0x35);
        Emit(prologue, 0x9D);
        MoveRegisters(prologue, 0, 0x8B);

        // Pad with NOPs to where the instruction goes.
        while (prologue.Count < Instruction)
        {
            prologue.Add(0x90);
        }

        prologue.CopyTo(new Span<byte>(_base, Instruction));
        List<byte> epilogue = [];
        MoveRegisters(epilogue, Instruction + 15, 0x89);
        Emit(epilogue, 0x9C);
        EmitRelative(epilogue, Instruction + 15, FlagsOut, 0x8F, 0x05);
        Emit(epilogue, 0xFC, 0xB8, 7, 0, 0, 0, 0x31, 0xD2);
        EmitRelative(epilogue, Instruction + 15, ExtendedOut, 0x48, 0x0F, 0xAE, 0x25);
        Emit(epilogue, 0xC5, 0xF8, 0x77, 0xDB, 0xE3);
        EmitRelative(epilogue, Instruction + 15, SavedControl, 0xD9, 0x2D);
        EmitRelative(epilogue, Instruction + 15, SavedMxcsr, 0x0F, 0xAE, 0x15);
        Emit(epilogue, 0x9D, 0x41, 0x5F, 0x41, 0x5E, 0x41, 0x5D, 0x41, 0x5C, 0x5D, 0x5B, 0xC3);
        epilogue.CopyTo(new Span<byte>(_base + Instruction + 15, epilogue.Count));
    }

    internal ulong DataAddress => (ulong)(_base + Data);

    internal Span<byte> Memory => new(_base + Data, DataSize);

    internal Span<ulong> Registers => new(_base + General, 16);

    internal Span<byte> ExtendedInput => new(_base + ExtendedIn, ExtendedSize);

    internal ReadOnlySpan<byte> ExtendedOutput => new(_base + ExtendedOut, ExtendedSize);

    internal ulong Flags
    {
        get => *(ulong*)(_base + FlagsOut);
        set => *(ulong*)(_base + FlagsIn) = value;
    }

    public void Dispose() => _ = MemoryUnmap((nint)_base, Pages);

    internal void Execute(ReadOnlySpan<byte> instruction)
    {
        Span<byte> slot = new(_base + Instruction, 15);
        slot.Fill(0x90);
        instruction.CopyTo(slot);
        new Span<byte>(_base + ExtendedOut, ExtendedSize).Clear();
        ((delegate* unmanaged<void>)_base)();
    }

    private static void Emit(List<byte> code, params ReadOnlySpan<byte> bytes)
    {
        code.AddRange(bytes);
    }

    private static void EmitRelative(List<byte> code, int start, int target, params ReadOnlySpan<byte> bytes)
    {
        code.AddRange(bytes);
        Span<byte> displacement = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(displacement, target - (start + code.Count + 4));
        code.AddRange(displacement);
    }

    private static void MoveRegisters(List<byte> code, int start, byte opcode)
    {
        for (int register = 0; register < 16; register++)
        {
            if (register != 4)
            {
                EmitRelative(code, start, General + register * 8, (byte)(0x48 | register >> 3 << 2), opcode, (byte)((register & 7) << 3 | 5));
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint MemoryMap(nint address, nuint length, int protection, int flags, int descriptor, long offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int MemoryUnmap(nint address, nuint length);
}
