// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;
using Vmm.Engine.Time;

namespace Vmm.Engine.Chips;

/// <summary>
/// Finds the ends of level-triggered interrupts that the hypervisor, whose local APICs they went to, does not report: a vector that no
/// local APIC has requested or in service any more has ended.
/// </summary>
/// <remarks>
/// <para>
/// A hypervisor reports an end when the vCPU that ended the interrupt is on its way into the guest next. KVM on a PVM host ends a vector
/// when it delivers it and may run the vCPU into HLT before that report, which then waits for whatever wakes the guest
/// (docs/decisions/0010). Reports in time make the watch do nothing but look at its list once.
/// </para>
/// <para>
/// A look asks each vCPU's owner for what its local APIC holds; where nobody owns the vCPU, the thread that looks takes it for the
/// moment. Only when all have answered, vectors that were on the list before the first was asked count as ended. Any thread; one lock, under
/// which nobody is called.
/// </para>
/// </remarks>
internal sealed class LevelWatch : IDeadlineHandler
{
    /// <summary>When the first look is due, in nanoseconds after an interrupt was sent.</summary>
    public const long FirstLook = 1_000_000;

    /// <summary>The longest time between two looks at a guest that takes its time.</summary>
    public const long LongestInterval = 16_000_000;

    private readonly VirtualMachine _machine;
    private readonly VirtualTime _time;
    private readonly Action<byte> _end;
    private readonly DeadlineQueue _deadlines;
    private readonly Deadline _deadline;
    private readonly Lock _lock = new();
    private readonly bool[] _asked;
    private VectorBits _waiting;
    private VectorBits _candidates;
    private VectorBits _present;
    private VectorBits _endedEarly;
    private int _unanswered;
    private long _interval = FirstLook;
    private bool _isArmed;

    /// <summary>Makes the watch of a VM between two initializations.</summary>
    /// <param name="machine">The VM.</param>
    /// <param name="time">Its time.</param>
    /// <param name="end">Told the vectors that have ended, with no lock held.</param>
    public LevelWatch(VirtualMachine machine, VirtualTime time, Action<byte> end)
    {
        _machine = machine;
        _time = time;
        _end = end;
        _asked = new bool[machine.MaxCpus];
        _deadlines = time.Deadlines;
        _deadline = _deadlines.Create(this, 0);
    }

    /// <summary>A level-triggered interrupt is in a local APIC now.</summary>
    public void Sent(byte vector)
    {
        lock (_lock)
        {
            _waiting = _waiting.Union(VectorBits.Of(vector));
            _interval = FirstLook;
            if (_isArmed)
            {
                return;
            }

            _isArmed = true;
        }

        _deadlines.Arm(_deadline, _time.Now + FirstLook);
    }

    /// <summary>
    /// The hypervisor reports an end. One that the watch has found before it may be reported late, while the next interrupt of the same
    /// vector is on its way.
    /// </summary>
    /// <param name="cpu">The vCPU that reports it, on its owner's thread.</param>
    /// <param name="vector">The vector.</param>
    /// <returns>Whether it is one.</returns>
    public bool Reported(VirtualCpu cpu, byte vector)
    {
        bool isDoubtful;
        lock (_lock)
        {
            isDoubtful = _endedEarly[vector];
            _endedEarly = _endedEarly.Except(VectorBits.Of(vector));
        }

        if (isDoubtful && cpu.ReadHeldVectors()[vector])
        {
            return false;
        }

        lock (_lock)
        {
            _waiting = _waiting.Except(VectorBits.Of(vector));
            _candidates = _candidates.Except(VectorBits.Of(vector));
        }

        return true;
    }

    /// <summary>What a vCPU's local APIC has requested or in service. The vCPU's owner.</summary>
    public void Answer(VcpuId id, VectorBits held)
    {
        VectorBits ended;
        lock (_lock)
        {
            if (!_asked[id.Value])
            {
                return;
            }

            _asked[id.Value] = false;
            _present = _present.Union(held);
            if (--_unanswered != 0)
            {
                return;
            }

            ended = _candidates.Except(_present);
            _waiting = _waiting.Except(ended);
            _endedEarly = _endedEarly.Union(ended);
            _candidates = default;
        }

        for (int vector = 0; vector <= byte.MaxValue && !ended.IsEmpty; vector++)
        {
            if (ended[(byte)vector])
            {
                _end((byte)vector);
            }
        }
    }

    /// <summary>Stops looking, for good.</summary>
    public void Abandon()
    {
        lock (_lock)
        {
            _waiting = default;
            _isArmed = true;
        }

        _deadlines.Disarm(_deadline);
    }

    void IDeadlineHandler.DeadlineReached(int timer, long now)
    {
        long next;
        lock (_lock)
        {
            if (_waiting.IsEmpty)
            {
                // Whoever did not answer in time is asked again when there is something to ask for.
                _isArmed = false;
                return;
            }

            if (_unanswered == 0)
            {
                _candidates = _waiting;
                _present = default;
                foreach (VirtualCpu cpu in _machine.VcpuSpan)
                {
                    bool isThere = cpu.HasBackend;
                    _asked[cpu.Id.Value] = isThere;
                    _unanswered += isThere ? 1 : 0;
                }
            }

            _interval = Math.Min(_interval * 2, LongestInterval);
            next = now + _interval;
        }

        _deadlines.Arm(_deadline, next);
        foreach (VirtualCpu cpu in _machine.VcpuSpan)
        {
            if (Volatile.Read(ref _asked[cpu.Id.Value]))
            {
                cpu.AskForHeldVectors(this);
            }
        }
    }
}
