// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Registers and memory of a machine by the names that the execution cases use.</summary>
internal sealed class CaseRegisters(FlatMachine machine)
{
    private static readonly string[] s_general =
        ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"];

    private static readonly string[] s_segments = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"];

    private CpuState State => machine.State;

    /// <summary><c>name=value</c>, <c>name+=bits</c> or <c>name-=bits</c>.</summary>
    internal void Assign(string word)
    {
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        char operation = word[equals - 1];
        string name = operation is '+' or '-' ? word[..(equals - 1)] : word[..equals];
        ulong value = Number(word.AsSpan(equals + 1));
        Set(name, operation switch
        {
            '+' => Get(name) | value,
            '-' => Get(name) & ~value,
            _ => value,
        });
    }

    /// <summary><c>name=value</c> or <c>name&amp;mask=value</c>; null, or the difference.</summary>
    internal string? Check(string word)
    {
        int equals = word.IndexOf('=', StringComparison.Ordinal);
        string[] name = word[..equals].Split('&');
        ulong mask = name.Length > 1 ? Number(name[1]) : ulong.MaxValue;
        ulong expected = Number(word.AsSpan(equals + 1));
        ulong actual = Get(name[0]) & mask;
        return actual == expected ? null : string.Create(CultureInfo.InvariantCulture, $"has {word[..equals]}={actual:X}, not {expected:X}");
    }

    private static ulong Number(ReadOnlySpan<char> text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);

    private static bool TryMemory(string name, out int address, out int size)
    {
        size = name[0] switch
        {
            'b' => 1,
            'w' => 2,
            'd' => 4,
            _ => 8,
        };
        address = 0;
        return name.Length > 3 && name[1] == '[' && int.TryParse(name.AsSpan(2, name.Length - 3), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out address);
    }

    private ulong Get(string name)
    {
        if (TryMemory(name, out int address, out int size))
        {
            Span<byte> bytes = stackalloc byte[8];
            bytes.Clear();
            machine.Memory.Slice(address, size).CopyTo(bytes);
            return BitConverter.ToUInt64(bytes);
        }

        int general = Array.IndexOf(s_general, name);
        if (general >= 0)
        {
            return State.General[general];
        }

        string[] parts = name.Split('.');
        int segment = Array.IndexOf(s_segments, parts[0]);
        if (segment >= 0)
        {
            ref SegmentState state = ref State.Segments[segment];
            return parts.ElementAtOrDefault(1) switch
            {
                "base" => state.Base,
                "limit" => state.Limit,
                "access" => state.Access,
                _ => state.Selector,
            };
        }

        return name switch
        {
            "rip" => State.Rip,
            "flags" => State.Rflags,
            "cpl" => (ulong)State.Cpl,
            "shadow" => (ulong)State.Shadow,
            "cr0" => State.Cr0,
            "cr2" => State.Cr2,
            "cr3" => State.Cr3,
            "cr4" => State.Cr4,
            "cr8" => State.Cr8,
            "efer" => State.Efer,
            "xcr0" => State.Xcr0,
            "pkru" => State.Pkru,
            "dr0" => State.DebugAddresses[0],
            "dr6" => State.Dr6,
            "dr7" => State.Dr7,
            "star" => State.Star,
            "lstar" => State.LStar,
            "cstar" => State.CStar,
            "fmask" => State.SyscallMask,
            "kgs" => State.KernelGsBase,
            "sysenter.cs" => State.SysenterCs,
            "sysenter.esp" => State.SysenterEsp,
            "sysenter.eip" => State.SysenterEip,
            "gdtr.base" => State.Gdtr.Base,
            "gdtr.limit" => State.Gdtr.Limit,
            "idtr.base" => State.Idtr.Base,
            "idtr.limit" => State.Idtr.Limit,
            "fcw" => BitConverter.ToUInt16(State.Extended.Image),
            "fsw" => BitConverter.ToUInt16(State.Extended.Image[2..]),
            "mxcsr" => State.Extended.MxcsrValue,
            _ => throw new InvalidDataException($"there is no register {name}"),
        };
    }

    private void Set(string name, ulong value)
    {
        if (TryMemory(name, out int address, out int size))
        {
            BitConverter.GetBytes(value).AsSpan(0, size).CopyTo(machine.Memory[address..]);
            return;
        }

        int general = Array.IndexOf(s_general, name);
        if (general >= 0)
        {
            State.General[general] = value;
            return;
        }

        string[] parts = name.Split('.');
        int segment = Array.IndexOf(s_segments, parts[0]);
        if (segment >= 0)
        {
            SetSegment(ref State.Segments[segment], parts.ElementAtOrDefault(1), value);
            return;
        }

        SetOther(name, value);
    }

    private static void SetSegment(ref SegmentState state, string? part, ulong value)
    {
        switch (part)
        {
            case "base":
                state.Base = value;
                break;
            case "limit":
                state.Limit = (uint)value;
                break;
            case "access":
                state.Access = (uint)value;
                break;
            default:
                state.Selector = (ushort)value;
                break;
        }
    }

    private void SetOther(string name, ulong value)
    {
        CpuState s = State;
        Action set = name switch
        {
            "rip" => () => s.Rip = value,
            "flags" => () => s.Rflags = value,
            "cr0" => () => s.Cr0 = value,
            "cr3" => () => s.Cr3 = value,
            "cr4" => () => s.Cr4 = value,
            "efer" => () => s.Efer = value,
            "xcr0" => () => s.Xcr0 = value,
            "pkru" => () => s.Pkru = (uint)value,
            "dr0" => () => s.DebugAddresses[0] = value,
            "dr6" => () => s.Dr6 = value,
            "dr7" => () => s.Dr7 = value,
            "star" => () => s.Star = value,
            "lstar" => () => s.LStar = value,
            "cstar" => () => s.CStar = value,
            "mxcsr" => () => s.Extended.MxcsrValue = (uint)value,
            "fmask" => () => s.SyscallMask = value,
            "kgs" => () => s.KernelGsBase = value,
            "sysenter.cs" => () => s.SysenterCs = value,
            "sysenter.esp" => () => s.SysenterEsp = value,
            "sysenter.eip" => () => s.SysenterEip = value,
            "gdtr.limit" => () => s.Gdtr = new(s.Gdtr.Base, (ushort)value),
            "idtr.limit" => () => s.Idtr = new(s.Idtr.Base, (ushort)value),
            "fsw" => () => BitConverter.TryWriteBytes(s.Extended.Image[2..], (ushort)value),
            "fcw" => () => BitConverter.TryWriteBytes(s.Extended.Image, (ushort)value),
            "features" => () => s.Features &= ~(CpuFeatures)value,
            _ => throw new InvalidDataException($"{name} cannot be set"),
        };
        set();
    }
}
