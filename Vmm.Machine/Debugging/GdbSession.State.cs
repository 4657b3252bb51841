// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Machine.Debugging;

/// <content>Registers, memory, breakpoints and threads.</content>
internal sealed partial class GdbSession
{
    private const int NoSuchMemory = 14;

    /// <summary>Threads of the protocol begin at 1.</summary>
    private static string ThreadOf(int vcpu) => (vcpu + 1).ToString("x", CultureInfo.InvariantCulture);

    private static ulong ParseNumber(ReadOnlySpan<char> text) =>
        ulong.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    /// <summary>Reads a thread.</summary>
    /// <param name="text">A number in hexadecimal; -1 for all, 0 for any.</param>
    /// <param name="vcpu">The vCPU, or -1.</param>
    /// <returns>Whether there is one.</returns>
    private bool TryParseThread(ReadOnlySpan<char> text, out int vcpu)
    {
        vcpu = -1;
        if (text is "-1" or "0")
        {
            return true;
        }

        if (!uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint thread)
            || thread > _debugger.Vcpus.Count)
        {
            return false;
        }

        vcpu = (int)thread - 1;
        return true;
    }

    private string SelectThread(string text)
    {
        if (text.Length < 3 || !TryParseThread(text.AsSpan(2), out int vcpu))
        {
            return "E01";
        }

        if (text[1] == 'g' && vcpu >= 0)
        {
            _current = vcpu;
        }

        return "OK";
    }

    private string ReadRegister(ulong number) => number < (ulong)GdbRegisters.Count
        ? Convert.ToHexStringLower(GdbRegisters.Read(Current)[GdbRegisters.Slice((int)number)])
        : "E01";

    private string WriteRegister(ReadOnlySpan<char> text)
    {
        int equals = text.IndexOf('=');
        ulong number = equals < 0 ? ulong.MaxValue : ParseNumber(text[..equals]);
        if (number >= (ulong)GdbRegisters.Count)
        {
            return "E01";
        }

        byte[] value = Convert.FromHexString(text[(equals + 1)..]);
        Range slice = GdbRegisters.Slice((int)number);
        if (value.Length != slice.End.Value - slice.Start.Value)
        {
            return "E01";
        }

        GdbRegisters.Write(Current, (int)number, value);
        return "OK";
    }

    private string ReadMemory(ReadOnlySpan<char> text)
    {
        (ulong address, int length) = ParseRange(text);
        byte[] bytes = new byte[Math.Min(length, GdbChannel.LongestPacket / 2)];
        int done = _debugger.Read(Current, address, bytes);
        return done == 0 && bytes.Length > 0 ? $"E{NoSuchMemory:x2}" : Convert.ToHexStringLower(bytes.AsSpan(0, done));
    }

    private string WriteMemory(string text)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        (ulong address, int length) = ParseRange(text.AsSpan(1, Math.Max(0, colon - 1)));
        byte[] bytes = Convert.FromHexString(text.AsSpan(colon + 1));
        return bytes.Length == length ? WriteMemory(address, bytes) : "E01";
    }

    private string WriteBinary(string text, byte[] packet)
    {
        int colon = text.IndexOf(':', StringComparison.Ordinal);
        (ulong address, int length) = ParseRange(text.AsSpan(1, Math.Max(0, colon - 1)));
        ReadOnlySpan<byte> bytes = packet.AsSpan(colon + 1);
        return bytes.Length == length ? WriteMemory(address, bytes) : "E01";
    }

    private string WriteMemory(ulong address, ReadOnlySpan<byte> bytes) =>
        _debugger.Write(Current, address, bytes) ? "OK" : $"E{NoSuchMemory:x2}";

    private static (ulong Address, int Length) ParseRange(ReadOnlySpan<char> text)
    {
        int comma = text.IndexOf(',');
        ulong length = comma < 0 ? throw new FormatException("a range is ADDRESS,LENGTH") : ParseNumber(text[(comma + 1)..]);
        return length <= GdbChannel.LongestPacket
            ? (ParseNumber(text[..comma]), (int)length)
            : throw new FormatException("a range is longer than a packet");
    }

    /// <summary>Z and z: type, address, and for data the length.</summary>
    private string ChangeBreakpoint(string text)
    {
        string[] parts = text[1..].Split(';')[0].Split(',');
        if (parts.Length != 3)
        {
            return "E01";
        }

        bool isInsertion = text[0] == 'Z';
        ulong address = ParseNumber(parts[1]);
        ulong length = ParseNumber(parts[2]);
        switch (parts[0])
        {
            case "0" when isInsertion:
                return (Current.DebugFeatures & DebugFeatures.SoftwareBreakpoints) == 0
                    ? ErrorText("the hypervisor of this host does not hand INT3 over")
                    : _debugger.InsertBreakpoint(Current, address) ? "OK" : $"E{NoSuchMemory:x2}";
            case "0":
                _debugger.RemoveBreakpoint(address);
                return "OK";
            case "1":
                return ChangeHardware(isInsertion, new HardwareBreakpoint(new(address), BreakpointKind.Execution, 1));
            case "2":
                return ChangeHardware(isInsertion, new HardwareBreakpoint(new(address), BreakpointKind.Write, ToLength(length)));
            case "4":
                return ChangeHardware(isInsertion, new HardwareBreakpoint(new(address), BreakpointKind.Access, ToLength(length)));
            default:
                // x86 has no breakpoint on reads alone.
                return "";
        }
    }

    private string ChangeHardware(bool isInsertion, HardwareBreakpoint breakpoint)
    {
        if (isInsertion)
        {
            _debugger.InsertHardware(breakpoint);
        }
        else
        {
            _debugger.RemoveHardware(breakpoint);
        }

        return "OK";
    }

    private static byte ToLength(ulong length) => length <= sizeof(ulong) ? (byte)length : (byte)0;
}
