// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Kvm;

namespace Vmm.Benchmarks.Kvm;

/// <summary>A spinning guest that another thread makes return again and again.</summary>
internal sealed class KickLoop : IDisposable
{
    private readonly VirtualMachine _machine;
    private readonly Thread _thread;
    private long _returnedAt;
    private int _returns;
    private bool _stop;

    public KickLoop(KvmBackend backend)
    {
        _machine = ExitLoop.CreateMachine(backend, [0xeb, 0xfe]); // jmp $
        _thread = new Thread(Spin);
        _thread.Start();
    }

    /// <summary>Kicks a number of times.</summary>
    /// <returns>The median of nanoseconds from the kick to the return of the run.</returns>
    public double Measure(int count)
    {
        VirtualCpu cpu = _machine.GetVcpu(default);
        double[] samples = new double[count];
        for (int i = 0; i < count; i++)
        {
            // As the C side does: the vCPU must be back in the guest before the next kick.
            Thread.Sleep(TimeSpan.FromMicroseconds(200));
            int before = Volatile.Read(ref _returns);
            long start = Stopwatch.GetTimestamp();
            cpu.RequestYield();
            while (Volatile.Read(ref _returns) == before)
            {
            }

            samples[i] = Stopwatch.GetElapsedTime(start, Volatile.Read(ref _returnedAt)).TotalNanoseconds;
        }

        return Pairs.Median(samples);
    }

    public void Dispose()
    {
        Volatile.Write(ref _stop, true);
        _machine.GetVcpu(default).RequestYield();
        _thread.Join();
        _machine.Dispose();
    }

    private void Spin()
    {
        VirtualCpu cpu = _machine.GetVcpu(default);
        while (!Volatile.Read(ref _stop))
        {
            cpu.Run(VmEntry.Default);
            Volatile.Write(ref _returnedAt, Stopwatch.GetTimestamp());
            Interlocked.Increment(ref _returns);
        }
    }
}
