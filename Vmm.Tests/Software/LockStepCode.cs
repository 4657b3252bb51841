// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;

namespace Vmm.Tests.Software;

/// <summary>Code for guests in lock step.</summary>
internal static class LockStepCode
{
    /// <summary>A loop of ten rounds on a counter.</summary>
    public static void Count(Assembler a, AssemblerRegister32 counter)
    {
        Label again = a.CreateLabel();
        a.mov(counter, 10);
        a.Label(ref again);
        a.dec(counter);
        a.jnz(again);
    }

    public static void Count(Assembler a, AssemblerRegister16 counter)
    {
        Label again = a.CreateLabel();
        a.mov(counter, 10);
        a.Label(ref again);
        a.dec(counter);
        a.jnz(again);
    }

    public static void Assemble(LockStepGuest guest, Action<Assembler> write) =>
        guest.BeginLongMode(Code(64, LockStepGuest.CodeAddress, write));

    public static byte[] Code(int bits, ulong address, Action<Assembler> write)
    {
        Assembler assembler = new(bits);
        write(assembler);
        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), address);
        return stream.ToArray();
    }

    public static void Put(LockStepGuest guest, ulong address, params ReadOnlySpan<byte> bytes) =>
        bytes.CopyTo(guest.MemoryAt(address, bytes.Length));
}
