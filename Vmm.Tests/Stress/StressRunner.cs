// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;

namespace Vmm.Tests.Stress;

/// <summary>The thread of one vCPU: runs it for as long as the test lasts, on whichever VM there is, and resets a suspended one.</summary>
internal sealed class StressRunner(StressWorld world, int id, Func<bool> isOver)
{
    /// <summary>The last exits, for a report.</summary>
    public string Last { get; private set; } = "nothing yet";

    public void Run()
    {
        while (!isOver())
        {
            VirtualMachine machine = world.Machine;
            VirtualCpu cpu = machine.GetVcpu(new VcpuId(id));
            try
            {
                if (!TryRunOnce(machine, cpu))
                {
                    TryReset(machine);
                }
            }
            catch (ObjectDisposedException)
            {
                machine.IsDisposed.Should().BeTrue("only a destroyed VM says that it is");
                world.CountRound(id);
                Thread.Yield();
            }
        }
    }

    /// <summary>Runs the vCPU once.</summary>
    /// <returns>Whether the VM can go on as it is; it is suspended, or was suspended or reset between two looks at it, otherwise.</returns>
    private bool TryRunOnce(VirtualMachine machine, VirtualCpu cpu)
    {
        try
        {
            return RunOnce(machine, cpu);
        }
        catch (VmmException refusal) when (refusal.Error is VmmError.EBUSY or VmmError.EINVAL)
        {
            Last = refusal.Message;
            world.CountRound(id);
            return false;
        }
    }

    private bool RunOnce(VirtualMachine machine, VirtualCpu cpu)
    {
        if (!machine.ActiveVcpus.Contains(cpu.Id))
        {
            world.Prepare(machine, cpu);
        }

        // The exit is the owner's: without ownership another thread's reset may clear it before it is looked at.
        VmExit exit;
        using (cpu.Acquire())
        {
            exit = cpu.Run(VmEntry.Default);
        }

        Last = exit.ToString();
        world.CountRound(id);
        switch (exit.Code)
        {
            case ExitCode.Bogus:
                world.CountYield(id);
                return true;
            case ExitCode.RequestIdle:
                return true;
            case ExitCode.Debug:
                Thread.Yield();
                return true;
            case ExitCode.Suspended:
                return false;
            default:
                throw new InvalidOperationException($"the guest of vCPU {id} left with {exit}");
        }
    }

    private static void TryReset(VirtualMachine machine)
    {
        using IVcpuFreeze freeze = machine.FreezeVcpus();
        if (machine.SuspendReason != SuspendReason.None)
        {
            machine.Reinitialize(freeze, ReinitializeFlags.ForceSuspend);
        }
    }
}
