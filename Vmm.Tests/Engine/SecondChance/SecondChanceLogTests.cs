// SPDX-License-Identifier: BSD-2-Clause

using Serilog;
using Serilog.Core;
using Serilog.Events;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Engine;
using Vmm.Engine.SecondChance;

namespace Vmm.Tests.Engine.SecondChance;

/// <summary>What is said of second chances while they happen.</summary>
public sealed class SecondChanceLogTests : EngineFixture, ILogEventSink
{
    private static readonly byte[] s_popcnt = [0xF3, 0x0F, 0xB8, 0xC1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    private static readonly byte[] s_breakpoint = [0xCC, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    private readonly List<LogEvent> _events = [];

    void ILogEventSink.Emit(LogEvent logEvent) => _events.Add(logEvent);

    [Test]
    public void Each_instruction_is_logged_once_and_counted_each_time()
    {
        using Logger logger = new LoggerConfiguration().MinimumLevel.Debug().WriteTo.Sink(this).CreateLogger();
        using VirtualMachine machine = new VirtualMachineFactory(Backend, logger).Create(Options());
        Decoder.Decode(s_popcnt, CodeSize.Bits64, out Instruction popcnt);
        Decoder.Decode(s_breakpoint, CodeSize.Bits64, out Instruction breakpoint);
        SecondChanceLog log = new(machine);
        _events.Clear();

        log.Count(in popcnt, s_popcnt.AsSpan(0, 4), 0x1000);
        log.Count(in breakpoint, s_breakpoint.AsSpan(0, 1), 0x1004);
        log.Count(in popcnt, s_popcnt.AsSpan(0, 4), 0x2000);

        _events.Should().OnlyContain(static e => e.Level == LogEventLevel.Debug);
        _events.ConvertAll(static e => e.Properties["Instruction"].ToString()).Should().Equal("\"Popcnt\"", "\"Int3\"");
        log.Read().Should().Equal(new KeyValuePair<string, long>("Popcnt", 2), new KeyValuePair<string, long>("Int3", 1));
    }
}
