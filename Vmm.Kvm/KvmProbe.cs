// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Kvm;

/// <summary>A guest of a few bytes whose loops are timed: 64-bit mode, CPL 0, no interrupt controller.</summary>
internal sealed class KvmProbe : IDisposable
{
    private const ulong UnmappedAddress = 0x1000_0000;
    private const int Exits = 2000;
    private const ulong FirstIterations = 20_000;
    private const ulong MostIterations = 500_000_000;
    private const int InstructionsPerIteration = 2;
    private static readonly TimeSpan s_loopTime = TimeSpan.FromMilliseconds(100);

    // dec ecx / jnz, then hlt
    private static readonly byte[] s_countDown = [0xff, 0xc9, 0x75, 0xfc, 0xf4];

    // out 0x80, al / dec ecx / jnz, then hlt
    private static readonly byte[] s_portLoop = [0xe6, 0x80, 0xff, 0xc9, 0x75, 0xfa, 0xf4];

    // mov [rdi], eax / dec ecx / jnz, then hlt
    private static readonly byte[] s_mmioLoop = [0x89, 0x07, 0xff, 0xc9, 0x75, 0xfa, 0xf4];

    private readonly ProbeGuest _guest;
    private readonly KvmVcpu _vcpu;

    private KvmProbe(KvmBackend backend)
    {
        _guest = new ProbeGuest(backend, "probe", 1, isUserMemory: false);
        _vcpu = _guest.CreateVcpu(0);
        ProbeGuest.EnterLongMode(_vcpu, user: false);
    }

    /// <summary>Measures on a device.</summary>
    /// <exception cref="VmmException">The host refuses the guest, or the guest does not do what its code says.</exception>
    public static KvmMeasurements Measure(string path)
    {
        using KvmBackend backend = KvmBackend.Open(new KvmBackendOptions { DevicePath = path });
        using KvmProbe probe = new(backend);
        double instruction = probe.MeasureInstruction();
        double port = probe.Time(s_portLoop, Exits) / Exits;
        double mmio = probe.Time(s_mmioLoop, Exits) / Exits;
        double loop = InstructionsPerIteration * instruction;
        return new KvmMeasurements(
            TimeSpan.FromSeconds(Math.Max(0, port - loop)), TimeSpan.FromSeconds(Math.Max(0, mmio - loop)), 1 / instruction);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _vcpu.Dispose();
        _guest.Dispose();
    }

    private double MeasureInstruction()
    {
        double first = Time(s_countDown, FirstIterations);
        double scale = Math.Clamp(s_loopTime.TotalSeconds / first, 1, MostIterations / (double)FirstIterations);
        ulong iterations = (ulong)(FirstIterations * scale);
        return Time(s_countDown, iterations) / (iterations * InstructionsPerIteration);
    }

    /// <summary>Runs a loop to its HLT.</summary>
    /// <returns>Seconds.</returns>
    private double Time(ReadOnlySpan<byte> code, ulong iterations)
    {
        _guest.Write(code);
        _vcpu.GeneralRegisters = new GeneralRegisters { Rip = ProbeGuest.Code, Rcx = iterations, Rdi = UnmappedAddress, Rflags = 2 };
        VmExit exit = default;
        long start = Stopwatch.GetTimestamp();
        _vcpu.BeginRun();
        try
        {
            while (true)
            {
                _vcpu.Run(ref exit);
                if (exit.Code is ExitCode.Inout or ExitCode.Mmio)
                {
                    _vcpu.Fulfill();
                }
                else if (exit.Code == ExitCode.Hlt)
                {
                    return Stopwatch.GetElapsedTime(start).TotalSeconds;
                }
                else if (exit.Code != ExitCode.Bogus)
                {
                    throw new VmmException("probe", VmmError.EIO, $"a loop of three instructions ended in {exit}");
                }
            }
        }
        finally
        {
            _vcpu.EndRun();
        }
    }
}
