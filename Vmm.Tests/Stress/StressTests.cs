// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Stress;

/// <summary>
/// Random operations from many threads on one VM with three vCPUs, one where KVM has the local APICs. Each thread's operations follow from the seed, which a failure
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
    [TestCase("kvm-split", 4, 40, Category = "Kvm")]
    [TestCase("kvm-kernel", 5, 40, Category = "Kvm")]
    public void Random_operations_keep_every_promise(string kind, int seed, int operations) => Stress(kind, seed, operations);

    [TestCase("fake", 30_000)]
    [TestCase("software", 6_000)]
    [TestCase("kvm", 6_000, Category = "Kvm")]
    [TestCase("kvm-split", 3_000, Category = "Kvm")]
    [TestCase("kvm-kernel", 3_000, Category = "Kvm")]
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
        StressWorld world = new(backend, ModeOf(kind), seed);
        StressRunner[] runners = [.. Enumerable.Range(0, world.Cpus).Select(id => new StressRunner(world, id, IsOver))];
        StressActor[] actors = [.. Enumerable.Range(0, Actors).Select(i => new StressActor(world, (seed * Actors) + i, IsOver))];
        Thread[] running = [.. runners.Select(runner => Start(runner.Run))];
        Thread[] acting = [.. actors.Select(actor => Start(() => actor.Run(operations)))];

        Watch(acting, () => actors.Sum(actor => actor.Done));
        long asked = 0;
        Watch([Start(() => Quiet(world, IsOver, ref asked))], () => Volatile.Read(ref asked));
        Volatile.Write(ref isDone, true);
        using (Timer stopping = new(_ => world.StopRuns(), null, TimeSpan.Zero, s_again))
        {
            Watch(running, () => 0);
        }

        failure.Should().BeNull(Report());
        long delivered = Enumerable.Range(0, world.Cpus).Sum(id => world.Machine.GetVcpu(new VcpuId(id)).Counters.Nmis);
        ((long)StressWorld.Nmis(world.Machine)).Should().BeLessThanOrEqualTo(delivered, "no NMI comes twice");
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

    /// <summary>
    /// Asks each vCPU while nobody else does: each request to yield makes its run return, and each NMI reaches the guest. What is lost is
    /// waited for until the watchdog comes.
    /// </summary>
    private static void Quiet(StressWorld world, Func<bool> isOver, ref long asked)
    {
        const int Times = 20;
        VirtualMachine machine = world.Machine;
        for (int id = 0; id < world.Cpus; id++)
        {
            VirtualCpu cpu = machine.GetVcpu(new VcpuId(id));
            Wait(() => machine.SuspendReason == SuspendReason.None && machine.ActiveVcpus.Contains(cpu.Id), isOver);
            for (int i = 0; i < Times; i++)
            {
                int number = id;
                long yields = world.Yields(id);
                cpu.RequestYield();
                Wait(() => world.Yields(number) > yields, isOver);
                Volatile.Write(ref asked, asked + 1);
            }

            for (int i = 0; i < Times; i++)
            {
                long nmis = cpu.Counters.Nmis;
                uint counted = StressWorld.Nmis(machine);
                cpu.InjectNmi();
                Wait(() => cpu.Counters.Nmis > nmis && (!world.Executes || StressWorld.Nmis(machine) > counted), isOver);
                Volatile.Write(ref asked, asked + 1);
            }
        }
    }

    private static void Wait(Func<bool> condition, Func<bool> isOver)
    {
        SpinWait wait = default;
        while (!condition() && !isOver())
        {
            wait.SpinOnce();
        }
    }

    private static InterruptControllerMode ModeOf(string kind) => kind switch
    {
        "kvm-split" => InterruptControllerMode.Split,
        "kvm-kernel" => InterruptControllerMode.Kernel,
        _ => InterruptControllerMode.Userspace,
    };

    private static IHypervisorBackend Open(string kind) => kind switch
    {
        "kvm" or "kvm-split" or "kvm-kernel" => KvmRequirement.OpenBackend(),
        "software" => new SoftwareBackend(),
        _ => new FakeBackend(),
    };
}
