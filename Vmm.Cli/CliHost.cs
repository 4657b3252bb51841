// SPDX-License-Identifier: BSD-2-Clause

using Serilog;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Kvm;

namespace Vmm.Cli;

/// <summary>Where a command writes, and how it gets its hypervisor.</summary>
internal sealed class CliHost
{
    /// <summary>Results for scripts, and the guest's console.</summary>
    public required TextWriter Out { get; init; }

    /// <summary>What is for a person.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>Standard output as bytes, for the guest's console.</summary>
    public required Func<Stream> OpenOutput { get; init; }

    /// <summary>The host of the process.</summary>
    public static CliHost Process() => new()
    {
        Out = Text(Console.OpenStandardOutput()),
        Error = Text(Console.OpenStandardError()),
        OpenOutput = Console.OpenStandardOutput,
    };

    /// <summary>Opens the hypervisor.</summary>
    /// <param name="device">The device's path.</param>
    /// <param name="log">Receives its messages.</param>
    /// <returns>The backend, owned by the caller.</returns>
    /// <exception cref="HypervisorException">There is none that can be used.</exception>
    public static IHypervisorBackend OpenHypervisor(string device, ILogger? log)
    {
        try
        {
            return KvmBackend.Open(new KvmBackendOptions { DevicePath = device, Logger = log });
        }
        catch (VmmException refusal)
        {
            string reason = KvmDevice.Inspect(device) is { IsUsable: false } state
                ? $"{state.Problem} {state.Remedy}"
                : refusal.Message;
            throw new HypervisorException(reason, refusal);
        }
    }

    // Quicker to make than the console's own writers, which count in the time to the guest's first instruction.
    private static StreamWriter Text(Stream stream) => new(stream, bufferSize: 1024) { AutoFlush = true };
}
