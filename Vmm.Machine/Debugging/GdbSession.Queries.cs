// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Text;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;

namespace Vmm.Machine.Debugging;

/// <content>Queries, and the monitor's commands.</content>
internal sealed partial class GdbSession
{
    private const string ReadDescription = "qXfer:features:read:";
    private const string MonitorCommand = "qRcmd,";
    private const string ThreadInformation = "qThreadExtraInfo,";

    private const string Help =
        """
        help                    this text
        info registers          every register of the selected vCPU
        info vcpus              where each vCPU is
        info breakpoints        what is set
        info features           what this host's hypervisor honours for a debugger
        physical on|off         whether memory is addressed by guest-physical addresses
        xp ADDRESS [COUNT]      bytes at a guest-physical address
        quit                    ends the machine

        """;

    private bool _knowsSoftwareStops;
    private bool _knowsHardwareStops;

    private string? DispatchQuery(string text)
    {
        if (text.StartsWith("qSupported", StringComparison.Ordinal))
        {
            _knowsSoftwareStops = text.Contains("swbreak+", StringComparison.Ordinal);
            _knowsHardwareStops = text.Contains("hwbreak+", StringComparison.Ordinal);
            return string.Create(
                CultureInfo.InvariantCulture,
                $"PacketSize={GdbChannel.LongestPacket:x};qXfer:features:read+;vContSupported+;swbreak+;hwbreak+;QStartNoAckMode+;error-message+");
        }

        if (text.StartsWith(ReadDescription, StringComparison.Ordinal))
        {
            return ReadFeatures(text[ReadDescription.Length..]);
        }

        if (text.StartsWith(MonitorCommand, StringComparison.Ordinal))
        {
            string command = Encoding.Latin1.GetString(Convert.FromHexString(text.AsSpan(MonitorCommand.Length)));
            return Convert.ToHexStringLower(Encoding.UTF8.GetBytes(Monitor(command.Trim())));
        }

        if (text.StartsWith(ThreadInformation, StringComparison.Ordinal))
        {
            return TryParseThread(text.AsSpan(ThreadInformation.Length), out int vcpu) && vcpu >= 0
                ? Convert.ToHexStringLower(Encoding.ASCII.GetBytes($"vCPU {vcpu}"))
                : "E01";
        }

        switch (text)
        {
            case "QStartNoAckMode":
                // Before the reply: whatever comes after it is not acknowledged any more.
                _channel.Acknowledges = false;
                return "OK";
            case "qC":
                return $"QC{ThreadOf(_current)}";
            case "qfThreadInfo":
                return $"m{string.Join(',', Enumerable.Range(0, _debugger.Vcpus.Count).Select(ThreadOf))}";
            case "qsThreadInfo":
                return "l";
            case "qAttached":
                return "1";
            case "qqemu.PhyMemMode":
                return _debugger.UsesPhysicalAddresses ? "1" : "0";
            case "Qqemu.PhyMemMode:0" or "Qqemu.PhyMemMode:1":
                _debugger.UsesPhysicalAddresses = text.EndsWith('1');
                return "OK";
            default:
                return text.StartsWith("qSymbol:", StringComparison.Ordinal) ? "OK" : "";
        }
    }

    private static string ReadFeatures(string text)
    {
        const string Document = "target.xml:";
        if (!text.StartsWith(Document, StringComparison.Ordinal))
        {
            return "E00";
        }

        (ulong offset, int length) = ParseRange(text.AsSpan(Document.Length));
        byte[] all = GdbRegisters.Description;
        int start = (int)Math.Min(offset, (ulong)all.Length);
        int count = Math.Min(Math.Min(length, GdbChannel.LongestPacket / 2), all.Length - start);
        string more = start + count < all.Length ? "m" : "l";
        return more + Encoding.ASCII.GetString(all, start, count);
    }

    private string Monitor(string command)
    {
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        switch (words)
        {
            case [] or ["help"]:
                return Help;
            case ["info", "registers"]:
                return _hasEnded ? "the machine has ended\n" : Registers();
            case ["info", "vcpus"]:
                return _hasEnded ? "the machine has ended\n" : string.Concat(_debugger.Vcpus.Select(Place));
            case ["info", "breakpoints"]:
                return string.Concat(_debugger.Breakpoints().Select(breakpoint => $"{breakpoint}\n"));
            case ["info", "features"]:
                return $"kernel mode: {Current.DebugFeatures}\nuser mode:   {Current.UserModeDebugFeatures}\n";
            case ["physical", "on" or "off"]:
                _debugger.UsesPhysicalAddresses = words[1] == "on";
                return $"memory is addressed by {(words[1] == "on" ? "guest-physical" : "linear")} addresses\n";
            case ["xp", var address, .. var rest]:
                return Dump(address, rest);
            case ["quit"]:
                _debugger.Kill();
                return "the machine ends\n";
            default:
                return $"'{command}' is not a command; 'monitor help' lists them\n";
        }
    }

    private string Registers()
    {
        const int PerLine = 4;
        byte[] all = GdbRegisters.Read(Current);
        StringBuilder text = new();
        for (int number = 0; number < GdbRegisters.Count; number++)
        {
            byte[] value = all[GdbRegisters.Slice(number)];
            Array.Reverse(value);
            text.Append(CultureInfo.InvariantCulture, $"{GdbRegisters.NameOf(number),-12} {Convert.ToHexStringLower(value)}");
            text.Append(number % PerLine == PerLine - 1 ? '\n' : ' ');
        }

        return text.Append('\n').ToString();
    }

    private static string Place(VirtualCpu cpu) => string.Create(
        CultureInfo.InvariantCulture,
        $"vCPU {cpu.Id.Value}: rip 0x{cpu.GetRegister(RegisterName.Rip):x}, linear 0x{MachineDebugger.LinearRip(cpu):x}, {RunState(cpu)}\n");

    private static string RunState(VirtualCpu cpu)
    {
        VcpuRunState state = cpu.GetRunState(out _);
        return (state & VcpuRunState.Run) != 0 ? "started" : "not started";
    }

    private string Dump(string address, string[] rest)
    {
        const int PerLine = 16;
        const uint Most = 1024;
        ReadOnlySpan<char> digits = address.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? address.AsSpan(2) : address;
        uint count = PerLine;
        if (!ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong start)
            || rest.Length > 1
            || (rest.Length == 1 && !uint.TryParse(rest[0], NumberStyles.None, CultureInfo.InvariantCulture, out count)))
        {
            return "xp ADDRESS [COUNT], the address in hexadecimal\n";
        }

        byte[] bytes = new byte[Math.Min(count, Most)];
        if (!_debugger.Machine.Memory.TryRead(new(start), bytes))
        {
            return $"there is no memory at 0x{start:x}\n";
        }

        StringBuilder text = new();
        for (int i = 0; i < bytes.Length; i += PerLine)
        {
            string line = Convert.ToHexStringLower(bytes.AsSpan(i, Math.Min(PerLine, bytes.Length - i)));
            text.Append(CultureInfo.InvariantCulture, $"{unchecked(start + (ulong)i):x16}: {line}\n");
        }

        return text.ToString();
    }
}
