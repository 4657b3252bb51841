// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Vmm.Abstractions.Errors;
using Vmm.Engine;

namespace Vmm.Machine.Debugging;

/// <summary>
/// One debugger's connection: takes packets and stops in order and answers. The machine stands while packets are answered; what a
/// debugger sends while it runs waits, but for an interrupt. Nothing that a debugger sends throws across <see cref="Run"/>.
/// </summary>
internal sealed partial class GdbSession
{
    private const int SignalInterrupt = 2;
    private const int SignalTrap = 5;

    private readonly MachineDebugger _debugger;
    private readonly GdbChannel _channel;
    private readonly BlockingCollection<Message> _messages = [];

    /// <summary>What came and is not answered yet; null is an interrupt, which takes effect behind what came before it.</summary>
    private readonly Queue<byte[]?> _waiting = new();
    private readonly Thread _reader;
    private readonly VcpuAction[] _actions;
    private StopEvent _stop;
    private bool _isStopped;
    private bool _owesStop;
    private bool _hasEnded;
    private bool _isDone;
    private int _current;

    public GdbSession(MachineDebugger debugger, GdbChannel channel)
    {
        _debugger = debugger;
        _channel = channel;
        _actions = new VcpuAction[debugger.Vcpus.Count];
        _reader = new Thread(Read) { IsBackground = true, Name = "gdb-reader" };
    }

    private VirtualCpu Current => _debugger.Vcpus[_current];

    /// <summary>Serves until the debugger detaches, kills the machine, or is gone.</summary>
    public void Run()
    {
        _reader.Start();
        _debugger.Attach(stop => _messages.TryAdd(new Message(MessageKind.Stop, null, stop)));
        try
        {
            while (!_isDone)
            {
                Handle(_messages.Take());
            }
        }
        finally
        {
            _debugger.Detach();
        }
    }

    /// <summary>Waits until nothing reads from the connection any more, after it was shut down.</summary>
    public void Join() => _reader.Join();

    private void Read()
    {
        while (_channel.TryReceive(out byte[]? packet))
        {
            _messages.Add(new Message(packet is null ? MessageKind.Interrupt : MessageKind.Packet, packet, default));
        }

        _messages.Add(new Message(MessageKind.Closed, null, default));
    }

    private void Handle(in Message message)
    {
        switch (message.Kind)
        {
            case MessageKind.Closed:
                _isDone = true;
                break;
            case MessageKind.Interrupt:
                _waiting.Enqueue(null);
                break;
            case MessageKind.Stop:
                NoteStop(message.Stop);
                break;
            default:
                _waiting.Enqueue(message.Packet!);
                break;
        }

        while (!_isDone && _waiting.TryPeek(out byte[]? next) && (_isStopped || next is null))
        {
            _waiting.Dequeue();
            if (next is null)
            {
                _debugger.Interrupt();
            }
            else
            {
                Answer(next);
            }
        }
    }

    private void NoteStop(StopEvent stop)
    {
        _isStopped = true;
        _stop = stop;
        _hasEnded |= stop.Kind == StopKind.Ended;
        if (stop.Kind is not (StopKind.None or StopKind.Ended))
        {
            _current = stop.Vcpu;
        }

        if (_owesStop)
        {
            _owesStop = false;
            Reply(StopReply());
        }
    }

    private string StopReply()
    {
        if (_hasEnded)
        {
            return "W00";
        }

        int signal = _stop.Kind == StopKind.Interrupt ? SignalInterrupt : SignalTrap;
        string reason = _stop.Kind switch
        {
            StopKind.SoftwareBreakpoint when _knowsSoftwareStops => "swbreak:;",
            StopKind.HardwareBreakpoint when _knowsHardwareStops => "hwbreak:;",
            StopKind.Watchpoint => string.Create(CultureInfo.InvariantCulture, $"watch:{_stop.Address:x};"),
            StopKind.AccessWatchpoint => string.Create(CultureInfo.InvariantCulture, $"awatch:{_stop.Address:x};"),
            _ => "",
        };
        return string.Create(CultureInfo.InvariantCulture, $"T{signal:x2}thread:{ThreadOf(_stop.Vcpu)};{reason}");
    }

    private void Answer(byte[] packet)
    {
        string text = Encoding.Latin1.GetString(packet);
        try
        {
            if (Dispatch(text, packet) is { } reply)
            {
                Reply(reply);
            }
        }
        catch (VmmException refusal)
        {
            Reply(ErrorText(refusal.Message));
        }
        catch (Exception error) when (error is FormatException or ArgumentException or OverflowException or InvalidOperationException)
        {
            Reply("E01");
        }
    }

    /// <summary>Carries a packet out.</summary>
    /// <returns>The reply, empty for what is not supported; null when a reply comes later or not at all.</returns>
    private string? Dispatch(string text, byte[] packet)
    {
        if (_hasEnded && text.Length > 0 && text[0] is not ('?' or 'q' or 'Q' or 'D' or 'k' or 'v'))
        {
            return "E01";
        }

        switch (text.Length == 0 ? '\0' : text[0])
        {
            case '?':
                return StopReply();
            case 'g':
                return Convert.ToHexStringLower(GdbRegisters.Read(Current));
            case 'G':
                byte[] all = Convert.FromHexString(text.AsSpan(1));
                return all.Length == GdbRegisters.TotalLength ? Done(() => GdbRegisters.Write(Current, all)) : "E01";
            case 'p':
                return ReadRegister(ParseNumber(text.AsSpan(1)));
            case 'P':
                return WriteRegister(text.AsSpan(1));
            case 'm':
                return ReadMemory(text.AsSpan(1));
            case 'M':
                return WriteMemory(text);
            case 'X':
                return WriteBinary(text, packet);
            case 'c' or 's':
                return text.Length == 1 ? ResumeAll(text[0] == 's') : "E01";
            case 'C' or 'S':
                return ResumeAll(text[0] == 'S');
            case 'H':
                return SelectThread(text);
            case 'T':
                return TryParseThread(text.AsSpan(1), out int vcpu) && vcpu >= 0 ? "OK" : "E01";
            case 'Z' or 'z':
                return ChangeBreakpoint(text);
            case 'D':
                _isDone = true;
                return "OK";
            case 'k':
                _isDone = true;
                _debugger.Kill();
                return null;
            case 'v':
                return DispatchVerb(text);
            case 'q' or 'Q':
                return DispatchQuery(text);
            default:
                return "";
        }
    }

    private string? DispatchVerb(string text)
    {
        if (text == "vCont?")
        {
            return "vCont;c;C;s;S;t";
        }

        if (text.StartsWith("vCont;", StringComparison.Ordinal))
        {
            return ResumeByThread(text["vCont;".Length..]);
        }

        if (text == "vCtrlC")
        {
            _debugger.Interrupt();
            return "OK";
        }

        if (text.StartsWith("vKill", StringComparison.Ordinal))
        {
            Reply("OK");
            _isDone = true;
            _debugger.Kill();
            return null;
        }

        return "";
    }

    private string? ResumeAll(bool step)
    {
        Array.Fill(_actions, VcpuAction.Continue);
        _actions[_current] = step ? VcpuAction.Step : VcpuAction.Continue;
        return Resume();
    }

    /// <summary>The first action that names a vCPU, or all of them, is that vCPU's; a vCPU without one stays where it is.</summary>
    private string? ResumeByThread(string actions)
    {
        Array.Fill(_actions, VcpuAction.Stay);
        bool[] isSet = new bool[_actions.Length];
        foreach (string action in actions.Split(';'))
        {
            int colon = action.IndexOf(':', StringComparison.Ordinal);
            int vcpu = -1;
            if (action.Length == 0 || (colon >= 0 && !TryParseThread(action.AsSpan(colon + 1), out vcpu)))
            {
                return "E01";
            }

            VcpuAction wanted = action[0] switch
            {
                'c' or 'C' => VcpuAction.Continue,
                's' or 'S' => VcpuAction.Step,
                _ => VcpuAction.Stay,
            };
            for (int i = 0; i < _actions.Length; i++)
            {
                if ((vcpu < 0 || vcpu == i) && !isSet[i])
                {
                    _actions[i] = wanted;
                    isSet[i] = true;
                }
            }
        }

        return Array.TrueForAll(_actions, action => action == VcpuAction.Stay) ? StopReply() : Resume();
    }

    private string? Resume()
    {
        if (_hasEnded)
        {
            return StopReply();
        }

        _isStopped = false;
        _owesStop = true;
        try
        {
            _debugger.Resume(_actions);
            return null;
        }
        catch (VmmException)
        {
            (_isStopped, _owesStop) = (true, false);
            throw;
        }
    }

    private void Reply(string text) => _channel.Send(Encoding.Latin1.GetBytes(text));

    /// <summary>A refusal with its reason, as GDB shows it.</summary>
    private static string ErrorText(string message) => $"E.{message.Replace('\n', ' ')}";

    private static string Done(Action action)
    {
        action();
        return "OK";
    }

    private enum MessageKind
    {
        Packet = 0,
        Interrupt,
        Stop,
        Closed,
    }

    private readonly record struct Message(MessageKind Kind, byte[]? Packet, StopEvent Stop);
}
