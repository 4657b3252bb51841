// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Board;

namespace Vmm.Cli.Terminal;

/// <summary>
/// Carries standard input to the guest's console on a thread of its own, which ends with the process: a read of a terminal
/// cannot be called off.
/// </summary>
internal sealed class ConsoleInput
{
    private const int StandardInput = 0;
    private const int ChunkSize = 4096;
    private const string Keys = "\r\nvmm: Ctrl-A x quits, Ctrl-A Ctrl-A sends Ctrl-A, Ctrl-A h shows this\r\n";

    private readonly object _gate = new();
    private readonly TextWriter _error;
    private volatile PcMachine? _machine;
    private Func<ReadOnlySpan<byte>, int>? _taker;
    private bool _room;

    public ConsoleInput(TextWriter error)
    {
        _error = error;
    }

    /// <summary>Tells that the guest has room for more; any thread.</summary>
    public void OnRoom()
    {
        lock (_gate)
        {
            _room = true;
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Gives the input to somebody else than the machine's serial port; before it begins.</summary>
    /// <param name="taker">Takes bytes and says how many, from the beginning.</param>
    public void Redirect(Func<ReadOnlySpan<byte>, int> taker) => _taker = taker;

    /// <summary>Begins.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="interactive">Whether standard input is a terminal, so that escapes mean something.</param>
    public void Start(PcMachine machine, bool interactive)
    {
        _machine = machine;
        new Thread(() => Pump(interactive)) { IsBackground = true, Name = "vmm console input" }.Start();
    }

    /// <summary>Lets the machine go; what is typed from now on is dropped.</summary>
    public void End()
    {
        _machine = null;
        OnRoom();
    }

    private void Pump(bool interactive)
    {
        EscapeFilter? filter = interactive ? new EscapeFilter() : null;
        byte[] input = new byte[ChunkSize];
        byte[] output = new byte[ChunkSize + 1];
        while (_machine is not null)
        {
            nint count = Termios.Read(StandardInput, input);
            if (count <= 0)
            {
                // The end of a pipe, or a terminal that has gone away: the guest runs on without input.
                return;
            }

            Handle(filter, input.AsSpan(0, (int)count), output);
        }
    }

    private void Handle(EscapeFilter? filter, ReadOnlySpan<byte> input, byte[] output)
    {
        if (filter is null)
        {
            Send(input);
            return;
        }

        while (!input.IsEmpty)
        {
            EscapeAction action = filter.Filter(input, output, out int read, out int written);
            Send(output.AsSpan(0, written));
            input = input[read..];
            switch (action)
            {
                case EscapeAction.Quit:
                    _machine?.Stop("stopped with Ctrl-A x");
                    return;
                case EscapeAction.Help:
                    _error.Write(Keys);
                    break;
                default:
                    break;
            }
        }
    }

    private void Send(ReadOnlySpan<byte> data)
    {
        while (!data.IsEmpty && _machine is { } machine)
        {
            data = data[(_taker is { } taker ? taker(data) : machine.Serial.QueueInput(data))..];
            if (!data.IsEmpty)
            {
                WaitForRoom();
            }
        }
    }

    private void WaitForRoom()
    {
        lock (_gate)
        {
            while (!_room)
            {
                Monitor.Wait(_gate);
            }

            _room = false;
        }
    }
}
