// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;

namespace Vmm.Tests.Stress;

/// <summary>
/// A thread that does random things to a VM: the same ones for the same seed. What another thread's destruction or suspension makes
/// fail is allowed to, by name; everything else ends the test.
/// </summary>
internal sealed class StressActor(StressWorld world, int seed, Func<bool> isOver)
{
    private const int Remembered = 40;

    private readonly Random _random = new(seed);
    private readonly Queue<string> _log = new();
    private readonly Lock _logLock = new();

    /// <summary>Operations done.</summary>
    public long Done { get; private set; }

    /// <summary>The last operations.</summary>
    public string Log
    {
        get
        {
            lock (_logLock)
            {
                return string.Join(", ", _log);
            }
        }
    }

    /// <summary>Does a number of operations.</summary>
    public void Run(int operations)
    {
        for (int i = 0; i < operations && !isOver(); i++)
        {
            int operation = _random.Next(1000);
            int cpu = _random.Next(world.Cpus);
            int argument = _random.Next();
            VirtualMachine machine = world.Machine;
            try
            {
                Do(machine, operation, machine.GetVcpu(new VcpuId(cpu)), argument);
            }
            catch (ObjectDisposedException)
            {
                machine.IsDisposed.Should().BeTrue("only a destroyed VM says that it is");
            }
            catch (VmmException refusal) when (refusal.Error is VmmError.EALREADY or VmmError.EBUSY or VmmError.EINVAL)
            {
                Note($"({refusal.Error})");
            }

            Done++;
        }
    }

    private void Do(VirtualMachine machine, int operation, VirtualCpu cpu, int argument)
    {
        switch (operation)
        {
            case < 300:
                Note($"yield {cpu.Id}");
                YieldAndWait(machine, cpu);
                break;
            case < 400:
                Note($"nmi {cpu.Id}");
                cpu.InjectNmi();
                break;
            case < 500:
                Note($"registers {cpu.Id}");
                ChangeRegisters(cpu, (ulong)argument);
                break;
            case < 600:
                Note("freeze");
                Freeze(machine, world.Cpus);
                break;
            case < 680:
                Note("remap");
                Remap(machine);
                break;
            case < 760:
                Note("dirty");
                machine.TrackDirtyPages(new(0), StressWorld.RamLength, new byte[2]);
                break;
            case < 840:
                Note("memory");
                machine.Memory.TryWrite(new(0x9000), BitConverter.GetBytes(argument));
                machine.Memory.TryRead(new(StressWorld.SecondRam), new byte[16]);
                break;
            case < 880:
                Note($"notify {cpu.Id}");
                cpu.Notify();
                break;
            case < 920:
                Note("debug");
                machine.SuspendVcpusForDebug();
                machine.ResumeVcpusFromDebug();
                break;
            case < 950:
                Note("pause");
                using (IVcpuFreeze freeze = machine.FreezeVcpus())
                {
                    machine.Pause(freeze);
                    machine.Resume(freeze);
                }

                break;
            case < 990:
                Note("suspend");
                machine.Suspend(SuspendReason.Reset);
                break;
            default:
                Note("destroy");
                world.Replace();
                break;
        }
    }

    /// <summary>The vCPU's run returns after it; that it is this request that makes it return shows when nobody else asks (StressTests.Quiet).</summary>
    private void YieldAndWait(VirtualMachine machine, VirtualCpu cpu)
    {
        long round = world.Round(cpu.Id.Value);
        cpu.RequestYield();
        SpinWait wait = default;
        while (world.Round(cpu.Id.Value) == round && world.Machine == machine && !isOver())
        {
            wait.SpinOnce();
        }
    }

    private static void ChangeRegisters(VirtualCpu cpu, ulong value)
    {
        using IDisposable owned = cpu.Acquire();
        cpu.SetRegister(RegisterName.R14, value);
        cpu.GetRegister(RegisterName.R14).Should().Be(value, "the owner alone changes registers");
        cpu.GetState(out _).Should().Be(VcpuState.Frozen);
    }

    private static void Freeze(VirtualMachine machine, int cpus)
    {
        using IVcpuFreeze freeze = machine.FreezeVcpus();
        byte[] before = new byte[4];
        byte[] after = new byte[4];
        machine.Memory.TryRead(new(StressWorld.Counter), before).Should().BeTrue();
        for (int i = 0; i < cpus; i++)
        {
            machine.GetVcpu(new VcpuId(i)).GetState(out _).Should().Be(VcpuState.Frozen);
        }

        machine.Memory.TryRead(new(StressWorld.Counter), after).Should().BeTrue();
        after.Should().Equal(before, "no guest executes while its vCPUs are frozen");
    }

    private static void Remap(VirtualMachine machine)
    {
        using IVcpuFreeze freeze = machine.FreezeVcpus();
        if (machine.MemoryMap.TryGetNext(new(StressWorld.SecondRam), out GuestMemoryMapping mapping))
        {
            machine.MemoryMap.Unmap(freeze, mapping.Address, mapping.Length);
            machine.MemoryMap.FreeSegment(freeze, mapping.Segment);
            machine.MemoryMap.IsAllocated(new(StressWorld.SecondRam)).Should().BeFalse();
            return;
        }

        machine.MemoryMap.AllocateSegment(freeze, new SegmentId(1), StressWorld.SecondLength, true);
        machine.MemoryMap.Map(
            freeze,
            new GuestMemoryMapping(
                new(StressWorld.SecondRam), StressWorld.SecondLength, new SegmentId(1), 0, MemoryProtection.All, MapFlags.None));
        machine.MemoryMap.IsAllocated(new(StressWorld.SecondRam)).Should().BeTrue();
    }

    private void Note(string operation)
    {
        lock (_logLock)
        {
            _log.Enqueue(operation);
            if (_log.Count > Remembered)
            {
                _log.Dequeue();
            }
        }
    }
}
