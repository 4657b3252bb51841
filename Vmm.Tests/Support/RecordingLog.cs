// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace Vmm.Tests.Support;

/// <summary>A log that keeps what is written to it.</summary>
internal sealed class RecordingLog : ILogEventSink
{
    private readonly Lock _lock = new();
    private readonly List<(LogEventLevel Level, string Text)> _entries = [];

    public RecordingLog() => Logger = new LoggerConfiguration().MinimumLevel.Verbose().WriteTo.Sink(this).CreateLogger();

    public ILogger Logger { get; }

    public IReadOnlyList<string> Warnings
    {
        get
        {
            lock (_lock)
            {
                return [.. _entries.Where(entry => entry.Level == LogEventLevel.Warning).Select(entry => entry.Text)];
            }
        }
    }

    public void Emit(LogEvent logEvent)
    {
        lock (_lock)
        {
            _entries.Add((logEvent.Level, logEvent.RenderMessage(CultureInfo.InvariantCulture)));
        }
    }
}
