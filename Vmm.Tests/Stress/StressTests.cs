// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Stress;

/// <summary>
/// Random operations from many threads on one VM with three vCPUs. Each thread's operations follow from the seed, which a failure
/// names together with every thread's last operations and every vCPU's state. Nothing is measured; the watchdog only turns a deadlock or
/// a lost request into a failure.
/// </summary>
public sealed class StressTests
{
    private const int Actors = 4;

    /// <summary>A vCPU that was being reset when it was asked to stop is asked again.</summary>
    private static readonly TimeSpan s_again = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan s_silence = TimeSpan.FromSeconds(60);

    [TestCase("fake", 1, 250)]
    [TestCase("software", 2, 80)]
    [TestCase("kvm", 3, 60, Category = "Kvm")]
    public void Random_operations_keep_every_promise(string kind, int seed, int operations) => Stress(kind, seed, operations);

    [TestCase("fake", 30_000)]
    [TestCase("software", 6_000)]
    [TestCase("kvm", 6_000, Category = "Kvm")]
    [Category("Long")]
    [Explicit("minutes")]
    public void Many_random_operations_keep_every_promise(string kind, int operations)
    {
        int seed = int.TryParse(Environment.GetEnvironmentVariable("VMM_STRESS_SEED"), out int given) ? given : Random.Shared.Next();
        TestContext.Out.WriteLine($"VMM_STRESS_SEED={seed}");
        Stress(kind, seed, operations);
    }

    private static void Stress(string kind, int seed, int operations)
    {
        using IHypervisorBackend backend = Open(kind);
        HostResources before = HostResources.Count();
        Exception? failure = null;
        bool isDone = false;
        bool IsOver() => Volatile.Read(ref isDone) || Volatile.Read(ref failure) is not null;
        StressWorld world = new(backend);
        StressRunner[] runners = [.. Enumerable.Range(0, StressWorld.Cpus).Select(id => new StressRunner(world, id, IsOver))];
        StressActor[] actors = [.. Enumerable.Range(0, Actors).Select(i => new StressActor(world, (seed * Actors) + i, IsOver))];
        Thread[] running = [.. runners.Select(runner => Start(runner.Run))];
        Thread[] acting = [.. actors.Select(actor => Start(() => actor.Run(operations)))];

        Watch(acting, () => actors.Sum(actor => actor.Done));
        Volatile.Write(ref isDone, true);
        using (Timer stopping = new(_ => world.StopRuns(), null, TimeSpan.Zero, s_again))
        {
            Watch(running, () => 0);
        }

        failure.Should().BeNull(Report());
        world.Dispose();
        foreach (FakeMemoryBlock block in (backend as FakeBackend)?.Blocks ?? [])
        {
            block.Frees.Should().Be(1, Report());
        }

        HostResources.Count().LeftOver(before).Should().BeEmpty(Report());

        Thread Start(Action work)
        {
            Thread thread = new(() =>
            {
                try
                {
                    work();
                }
                catch (Exception exception)
                {
                    Interlocked.CompareExchange(ref failure, exception, null);
                }
            })
            {
                IsBackground = true,
            };
            thread.Start();
            return thread;
        }

        void Watch(Thread[] threads, Func<long> progress)
        {
            foreach (Thread thread in threads)
            {
                long seen;
                do
                {
                    seen = progress();
                }
                while (!thread.Join(s_silence) && progress() != seen);
                if (thread.IsAlive)
                {
                    Assert.Fail($"nothing has moved for {s_silence.TotalSeconds} s: {Report()}");
                }
            }
        }

        string Report()
        {
            StringBuilder text = new($"seed {seed} on {kind}.");
            for (int i = 0; i < actors.Length; i++)
            {
                text.Append($"\nthread {i}, {actors[i].Done} done: {actors[i].Log}");
            }

            for (int i = 0; i < runners.Length; i++)
            {
                VirtualCpu cpu = world.Machine.GetVcpu(new VcpuId(i));
                VcpuRunState run = cpu.GetRunState(out _);
                text.Append($"\nvCPU {i}: {cpu.GetState(out _)}, {run}, round {world.Round(i)}, last {runners[i].Last}");
            }

            VirtualMachine machine = world.Machine;
            text.Append($"\nVM: {machine.SuspendReason}, active {machine.ActiveVcpus}, suspended {machine.SuspendedVcpus}, debug {machine.DebugVcpus}");
            return text.ToString();
        }
    }

    private static IHypervisorBackend Open(string kind) => kind switch
    {
        "kvm" => KvmRequirement.OpenBackend(),
        "software" => new SoftwareBackend(),
        _ => new FakeBackend(),
    };
}
