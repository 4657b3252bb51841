// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using Vmm.Abstractions.Chips;
using Vmm.Emulation.Timers;

namespace Vmm.Emulation.Interrupts;

/// <summary>A processor's local APIC in xAPIC and x2APIC mode (SDM volume 3, chapter "APIC").</summary>
/// <remarks>
/// <para>
/// Threads: interrupts arrive from any thread without a lock (<see cref="SetInterrupt"/>, <see cref="SetLocalInterrupt"/>,
/// <see cref="SetLint0"/>, <see cref="RequestExternalInterrupt"/>, and whatever the bus delivers). Everything else belongs
/// to the owner of the processor: register accesses, acceptance, reset, save and restore.
/// </para>
/// <para>
/// One lock guards the timer; under it only the deadline queue is called. No lock is held while the sink or the bus is
/// called. Lock order of the chips: I/O APIC or 8259 pair, then nothing; timer, then deadline queue.
/// </para>
/// </remarks>
public sealed partial class LocalApic : ILocalApic
{
    private const int LocalVectors = 7;

    private readonly InterruptFabric _fabric;
    private readonly IApicSink _sink;
    private readonly LocalApicOptions _options;
    private readonly ulong _baseReserved;
    private readonly uint[] _lvt = new uint[LocalVectors];

    // Written by acceptors on any thread.
    private VectorRegister _request;
    private VectorRegister _triggerMode;
    private uint _pendingErrors;
    private bool _externalPending;
    private bool _lint0;

    // Written by the owner; what the bus reads of it is published with a release.
    private VectorRegister _inService;
    private ulong _base;
    private uint _spurious;
    private uint _logicalId;
    private uint _destinationFormat;
    private uint _taskPriority;
    private int _processorPriority;
    private uint _errors;
    private ulong _command;

    /// <summary>Makes a local APIC in its power-up state. The bus knows it only once it is attached there.</summary>
    /// <param name="options">What distinguishes it.</param>
    /// <param name="fabric">The bus of its VM.</param>
    /// <param name="sink">Its processor.</param>
    /// <param name="clock">The VM's clock.</param>
    /// <param name="deadlines">The VM's deadlines, for the timer.</param>
    public LocalApic(
        LocalApicOptions options,
        InterruptFabric fabric,
        IApicSink sink,
        IVirtualClock clock,
        DeadlineQueue deadlines)
    {
        const long HighestFrequency = 1_000_000_000;
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(fabric);
        ArgumentNullException.ThrowIfNull(sink);
        ArgumentNullException.ThrowIfNull(clock);
        ArgumentNullException.ThrowIfNull(deadlines);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.TimerFrequency, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.TimerFrequency, HighestFrequency, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegative(options.TscFrequency, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PhysicalAddressBits, 32, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.PhysicalAddressBits, 52, nameof(options));
        _options = options;
        _fabric = fabric;
        _sink = sink;
        _clock = clock;
        _deadlines = deadlines;
        _deadline = deadlines.Create(this, 0);

        // IA32_APIC_BASE: bits 0 to 7 and 9 are reserved, and those above the physical address.
        _baseReserved = 0x2ff | ~((1UL << options.PhysicalAddressBits) - 1);
        _base = InitialBase;
        fabric.Created();
        ResetRegisters();
    }

    /// <summary>The x2APIC id; its low byte is the xAPIC id.</summary>
    public uint Id => _options.Id;

    /// <summary>The mode. Any thread.</summary>
    public ApicMode Mode => ModeOf(Volatile.Read(ref _base));

    /// <summary>Where the register page is in xAPIC mode.</summary>
    public ulong BaseAddress => Volatile.Read(ref _base) & ~ApicBits.BaseFlags;

    /// <summary>Whether the guest has enabled it in the spurious-interrupt vector register. Any thread.</summary>
    public bool IsSoftwareEnabled => (Volatile.Read(ref _spurious) & ApicBits.SpuriousEnable) != 0;

    /// <summary>The processor-priority register. Any thread; only the owner sees a value that does not change.</summary>
    public byte ProcessorPriority => (byte)Volatile.Read(ref _processorPriority);

    /// <summary>
    /// Whether an external interrupt (from the 8259 pair) waits and may reach the processor: its request line is high and
    /// local interrupt 0 lets it through, or a message brought one. Any thread.
    /// </summary>
    public bool HasExternalInterrupt =>
        Volatile.Read(ref _externalPending) || (Volatile.Read(ref _lint0) && AcceptsExternalInterrupts);

    /// <summary>
    /// Whether the line of local interrupt 0 reaches the processor as an external interrupt: in ExtINT mode and not masked,
    /// or because the APIC is disabled and out of the way. Any thread.
    /// </summary>
    public bool AcceptsExternalInterrupts
    {
        get
        {
            if (Mode == ApicMode.Disabled || !IsSoftwareEnabled)
            {
                return true;
            }

            uint lvt = ReadLvt(LocalVector.Lint0);
            return (lvt & ApicBits.LvtMasked) == 0 && ModeOfLvt(lvt) == DeliveryMode.ExternalInterrupt;
        }
    }

    /// <summary>CR8: the task priority's class. Owner.</summary>
    public byte TaskPriorityClass => (byte)(_taskPriority >> 4);

    private ulong InitialBase =>
        ApicBits.DefaultBase | ApicBits.BaseEnable | (_options.IsBootstrap ? ApicBits.BaseBootstrap : 0);

    private uint VersionRegister =>
        ApicBits.Version | (_options.HasEoiBroadcastSuppression ? ApicBits.VersionSuppressBroadcast : 0);

    /// <summary>
    /// Takes the external interrupt: forgets the one that a message brought. The vector comes from the 8259 pair. Owner.
    /// </summary>
    public void AcceptExternalInterrupt() => Volatile.Write(ref _externalPending, false);

    /// <summary>Tells the vector that may interrupt the processor now: the highest one above its priority. Owner.</summary>
    /// <param name="vector">The vector.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryGetPendingVector(out byte vector)
    {
        int highest = _request.Highest;
        vector = (byte)highest;
        return highest >= 0 &&
            (highest & ApicBits.PriorityClass) > (_processorPriority & ApicBits.PriorityClass) &&
            Mode != ApicMode.Disabled;
    }

    /// <summary>Moves a vector from requested to in service: the processor takes it. Owner.</summary>
    /// <param name="vector">What <see cref="TryGetPendingVector"/> gave.</param>
    public void AcceptInterrupt(byte vector)
    {
        Debug.Assert(_request[vector], "only a requested vector can be taken");
        _request.Clear(vector);
        _inService.Set(vector);
        UpdateProcessorPriority();
    }

    /// <summary>Sets the task priority as a write of CR8 does. Owner.</summary>
    /// <param name="value">The value; above 15 is the guest's fault.</param>
    /// <returns>False: <c>#GP</c>.</returns>
    public bool TrySetTaskPriorityClass(ulong value)
    {
        const ulong Highest = 0xf;
        if (value > Highest)
        {
            return false;
        }

        SetTaskPriority((uint)value << 4);
        return true;
    }

    /// <summary>Power-up: all registers and IA32_APIC_BASE. Owner, or before the processor runs.</summary>
    public void Reset()
    {
        SetBase(InitialBase);
        ResetRegisters();
    }

    /// <summary>INIT: all registers, but not IA32_APIC_BASE (SDM volume 3, "Local APIC State After It Receives an INIT"). Owner.</summary>
    public void ResetByInit() => ResetRegisters();

    /// <summary>Puts it into x2APIC or xAPIC mode before the processor runs (<c>vm_set_x2apic_state</c>).</summary>
    /// <param name="enabled">x2APIC mode.</param>
    public void SetX2Apic(bool enabled) =>
        SetBase(enabled ? _base | ApicBits.BaseEnable | ApicBits.BaseX2Apic : _base & ~ApicBits.BaseX2Apic);

    private static ApicMode ModeOf(ulong apicBase) =>
        (apicBase & ApicBits.BaseEnable) == 0 ? ApicMode.Disabled
        : (apicBase & ApicBits.BaseX2Apic) == 0 ? ApicMode.XApic
        : ApicMode.X2Apic;

    private uint ReadLvt(LocalVector local) => Volatile.Read(ref _lvt[(int)local]);

    private void SetTaskPriority(uint value)
    {
        _taskPriority = value & byte.MaxValue;
        UpdateProcessorPriority();
    }

    // SDM volume 3, "Task and Processor Priorities".
    private void UpdateProcessorPriority()
    {
        int serviced = Math.Max(_inService.Highest, 0) & ApicBits.PriorityClass;
        int task = (int)_taskPriority;
        Volatile.Write(ref _processorPriority, (task & ApicBits.PriorityClass) >= serviced ? task : serviced);
    }

    private void EndOfInterrupt()
    {
        int vector = _inService.Highest;
        if (vector < 0)
        {
            return;
        }

        _inService.Clear(vector);
        UpdateProcessorPriority();
        if (_triggerMode[vector] && (_spurious & ApicBits.SpuriousSuppressBroadcast) == 0)
        {
            _fabric.EndOfInterrupt((byte)vector);
        }
    }

    private void SetBase(ulong value)
    {
        ApicMode before = Mode;
        Volatile.Write(ref _base, value);
        ApicMode after = Mode;
        if (before == after)
        {
            return;
        }

        _fabric.ModeChanged(before, after);
        if (after == ApicMode.Disabled)
        {
            StopTimer();
        }

        if (before == ApicMode.X2Apic)
        {
            // The only way out of x2APIC mode leaves nothing of it behind (SDM volume 3, "x2APIC State Transitions").
            ResetRegisters();
        }
    }

    private void ResetRegisters()
    {
        StopTimer();
        _request.Restore(default);
        _triggerMode.Restore(default);
        _inService.Restore(default);
        Interlocked.Exchange(ref _pendingErrors, 0);
        Volatile.Write(ref _externalPending, false);
        foreach (ref uint lvt in _lvt.AsSpan())
        {
            Volatile.Write(ref lvt, ApicBits.LvtMasked);
        }

        Volatile.Write(ref _spurious, 0xff);
        Volatile.Write(ref _logicalId, 0);
        Volatile.Write(ref _destinationFormat, uint.MaxValue);
        _errors = 0;
        _command = 0;
        _divideConfiguration = 0;
        SetTaskPriority(0);
    }
}
