// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace Vmm.Cli;

/// <summary>The sink of <c>--verbose</c>.</summary>
internal static class Logging
{
    /// <summary>Makes a logger that writes everything to standard error.</summary>
    public static Logger Create() => new LoggerConfiguration()
        .MinimumLevel.Debug()
        .WriteTo.Console(
            standardErrorFromLevel: LogEventLevel.Verbose,
            formatProvider: CultureInfo.InvariantCulture,
            outputTemplate: "vmm: {Level:u3} {Message:lj}{NewLine}{Exception}")
        .CreateLogger();
}
