// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Engine.SecondChance;

/// <summary>
/// Lets one vCPU have guest memory to itself for a moment: for locked accesses that no atomic instruction of the host can make.
/// </summary>
/// <remarks>
/// A vCPU says that it is about to access memory (in the guest or in the executor) and then looks whether somebody has it to himself;
/// that one says so and then looks whether others access it. With a full fence between the two steps on both sides, one of them sees
/// the other.
/// </remarks>
internal sealed class MemoryExclusion(VirtualMachine machine)
{
    private readonly Lock _turn = new();
    private int _isHeld;

    /// <summary>The vCPU is going to access guest memory; waits while another one has it to itself.</summary>
    public void Enter(ref int isInMemory)
    {
        while (true)
        {
            Interlocked.Exchange(ref isInMemory, 1);
            if (Volatile.Read(ref _isHeld) == 0)
            {
                return;
            }

            Volatile.Write(ref isInMemory, 0);
            lock (_turn)
            {
                // Whoever holds the turn has memory to itself; it is free again now.
            }
        }
    }

    /// <summary>Stops the other vCPUs. The calling vCPU is in memory.</summary>
    public void Begin(VirtualCpu self)
    {
        // Not in the way of another one that has its turn first.
        self.LeaveMemory();
        _turn.Enter();
        Interlocked.Exchange(ref _isHeld, 1);
        foreach (VirtualCpu cpu in machine.VcpuSpan)
        {
            if (cpu == self)
            {
                continue;
            }

            // One kick is enough: the vCPU looks at this before it enters the guest again.
            SpinWait wait = default;
            if (cpu.IsInMemory)
            {
                cpu.Notify();
            }

            while (cpu.IsInMemory)
            {
                wait.SpinOnce(sleep1Threshold: -1);
            }
        }
    }

    /// <summary>Lets the others go on.</summary>
    public void End(VirtualCpu self)
    {
        self.ReturnToMemory();
        Volatile.Write(ref _isHeld, 0);
        _turn.Exit();
    }
}
