// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software;

/// <summary>
/// Lets one vCPU have guest memory to itself for a moment: for locked accesses that no atomic instruction of the host can make.
/// </summary>
/// <remarks>
/// A vCPU says that it executes and then looks whether somebody has memory to himself; that one says so and then looks whether others
/// execute. With a full fence between the two steps on both sides, one of them sees the other. A vCPU that executes looks again
/// between two batches of instructions.
/// </remarks>
internal sealed class VcpuExclusion
{
    private readonly Lock _turn = new();
    private SoftwareVcpu[] _vcpus = [];
    private int _isHeld;

    /// <summary>Whether a vCPU has memory to itself, or is about to: the others stop.</summary>
    public bool IsHeld => Volatile.Read(ref _isHeld) != 0;

    /// <summary>Adds a vCPU.</summary>
    public void Add(SoftwareVcpu vcpu)
    {
        lock (_turn)
        {
            _vcpus = [.. _vcpus, vcpu];
        }
    }

    /// <summary>Takes a vCPU away.</summary>
    public void Remove(SoftwareVcpu vcpu)
    {
        lock (_turn)
        {
            _vcpus = [.. _vcpus.Where(other => other != vcpu)];
        }
    }

    /// <summary>The vCPU is going to execute; waits while another one has memory to itself.</summary>
    public void Enter(ref int isExecuting)
    {
        while (true)
        {
            Interlocked.Exchange(ref isExecuting, 1);
            if (!IsHeld)
            {
                return;
            }

            Volatile.Write(ref isExecuting, 0);
            lock (_turn)
            {
                // Whoever holds the turn has memory to itself; it is free again now.
            }
        }
    }

    /// <summary>
    /// Stops the other vCPUs. The calling one executes; null for a thread that is none's. Somebody else may have had memory before, so a
    /// vCPU then follows what has become of it.
    /// </summary>
    public void Begin(SoftwareVcpu? self)
    {
        // Not in the way of another one that has its turn first.
        self?.LeaveMemory();
        _turn.Enter();
        Interlocked.Exchange(ref _isHeld, 1);
        foreach (SoftwareVcpu vcpu in _vcpus)
        {
            SpinWait wait = default;
            while (vcpu != self && vcpu.IsExecuting)
            {
                wait.SpinOnce(sleep1Threshold: -1);
            }
        }

        self?.FollowMap();
    }

    /// <summary>Lets the others go on.</summary>
    public void End(SoftwareVcpu? self)
    {
        self?.ReturnToMemory();
        Volatile.Write(ref _isHeld, 0);
        _turn.Exit();
    }
}
