// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.State;
using Vmm.Emulation.Interrupts;
using Vmm.Emulation.Timers;
using Vmm.Engine.Time;

namespace Vmm.Engine.Chips;

/// <summary>
/// The local APIC that the hypervisor has for a vCPU. Interrupts may be sent from any thread; what looks at registers takes the vCPU for
/// the moment.
/// </summary>
internal sealed class HypervisorLocalApic(VirtualCpu cpu, VirtualTime time, IBackendInterrupts interrupts) : ILocalApic
{
    private const int VersionOffset = 4;
    private const int HighestXApicId = 254;
    private const int LocalInterrupts = 7;
    private const int Lint0 = 0;
    private const int Lint1 = 1;
    private const uint Masked = 1 << 16;
    private const uint LevelTriggered = 1 << 15;
    private const uint SuppressesBroadcast = 1 << 24;
    private const ulong Bootstrap = 1 << 8;
    private const ulong GlobalEnable = 1 << 11;

    // Any rate will do: it makes the mode exist in a chip that only holds state.
    private const long SomeTscFrequency = 1_000_000_000;

    /// <inheritdoc/>
    public VmmDataVersionEntry Entry => Scratch(new LocalApicState(), default).Entry;

    /// <inheritdoc/>
    /// <exception cref="VmmException">ENOTSUP: the vCPU's number is above 254, which messages cannot name.</exception>
    public void SetInterrupt(byte vector, bool level)
    {
        const int FirstLegalVector = 16;
        if (vector < FirstLegalVector)
        {
            EngineThrow.Invalid("lapic_set_intr", $"vector {vector} belongs to an exception");
        }

        Send(DeliveryMode.Fixed, vector, level);
    }

    /// <inheritdoc/>
    /// <exception cref="VmmException">
    /// ENOTSUP: the entry asks for an external interrupt, whose vector only the hypervisor's own 8259 pair could give.
    /// </exception>
    public void SetLocalInterrupt(int index)
    {
        const string Operation = "lapic_set_local_intr";
        if ((uint)index >= LocalInterrupts)
        {
            EngineThrow.Invalid(Operation, $"there is no local interrupt {index}");
        }

        if (!TrySetLocalInterrupt(index))
        {
            EngineThrow.Refuse(Operation, VmmError.ENOTSUP, "external interrupts come from the hypervisor's 8259 pair");
        }
    }

    /// <summary>Fires a local interrupt.</summary>
    /// <returns>False: the entry asks for an external interrupt.</returns>
    internal bool TrySetLocalInterrupt(int index)
    {
        uint entry;
        bool isOutOfTheWay;
        using (cpu.Acquire())
        {
            Span<byte> page = stackalloc byte[IBackendLocalApic.PageLength];
            IBackendVcpu backend = cpu.ReadLocalApicPage(page);
            entry = LocalApicImage.ReadLocalVector(page, index);
            isOutOfTheWay = !LocalApicImage.IsSoftwareEnabled(page) || (ApicBase(backend) & GlobalEnable) == 0;
        }

        // SDM volume 3, "Local APIC State After Power-Up or Reset": disabled, its two pins are the processor's INTR and NMI.
        DeliveryMode mode = !isOutOfTheWay ? (DeliveryMode)((entry >> 8) & 7)
            : index == Lint1 ? DeliveryMode.Nmi
            : DeliveryMode.ExternalInterrupt;
        if (isOutOfTheWay ? index > Lint1 : (entry & Masked) != 0)
        {
            return true;
        }

        switch (mode)
        {
            case DeliveryMode.Fixed:
                SetInterrupt((byte)entry, index <= Lint1 && (entry & LevelTriggered) != 0);
                break;
            case DeliveryMode.Nmi:
                cpu.InjectNmi();
                break;
            case DeliveryMode.Init when index is Lint0 or Lint1:
                Send(DeliveryMode.Init, 0, level: false);
                break;
            case DeliveryMode.ExternalInterrupt:
                return false;
            default:
                break;
        }

        return true;
    }

    /// <summary>Takes the state.</summary>
    public LocalApicState Save()
    {
        using IDisposable ownership = cpu.Acquire();
        Span<byte> page = stackalloc byte[IBackendLocalApic.PageLength];
        return Read(page);
    }

    /// <summary>Puts a state back: the mode, then the registers, then the TSC deadline.</summary>
    public void Restore(LocalApicState state)
    {
        using IDisposable ownership = cpu.Acquire();
        Span<byte> page = stackalloc byte[IBackendLocalApic.PageLength];
        Restore(state, page, Read(page));
    }

    /// <inheritdoc/>
    /// <remarks>The version register is the hypervisor's.</remarks>
    public VmmDataResult Read(VmmDataRequest request)
    {
        using IDisposable ownership = cpu.Acquire();
        Span<byte> page = stackalloc byte[IBackendLocalApic.PageLength];
        LocalApic scratch = Scratch(Read(page), page);
        VmmDataResult result = scratch.Read(request);
        if (result.Error == VmmError.None)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(request.Data[VersionOffset..], LocalApicImage.ReadVersion(page));
        }

        return result;
    }

    /// <inheritdoc/>
    /// <remarks>EINVAL, besides what the engine's own chip refuses: another version than the hypervisor's.</remarks>
    public VmmDataResult Write(VmmDataRequest request)
    {
        if (request.Data.Length < LocalApic.LayoutLength)
        {
            return new VmmDataResult(VmmError.ENOSPC, LocalApic.LayoutLength);
        }

        using IDisposable ownership = cpu.Acquire();
        Span<byte> page = stackalloc byte[IBackendLocalApic.PageLength];
        LocalApicState present = Read(page);
        LocalApic scratch = Scratch(present, page);
        Span<byte> layout = stackalloc byte[LocalApic.LayoutLength];
        scratch.ExportLayout(layout);
        uint ownVersion = BinaryPrimitives.ReadUInt32LittleEndian(layout[VersionOffset..]);
        request.Data[..LocalApic.LayoutLength].CopyTo(layout);
        if (BinaryPrimitives.ReadUInt32LittleEndian(layout[VersionOffset..]) != LocalApicImage.ReadVersion(page))
        {
            return new VmmDataResult(VmmError.EINVAL, 0);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(layout[VersionOffset..], ownVersion);
        VmmError error = scratch.ImportLayout(layout);
        if (error != VmmError.None)
        {
            return new VmmDataResult(error, 0);
        }

        Restore(scratch.Save(), page, present);
        return new VmmDataResult(VmmError.None, LocalApic.LayoutLength);
    }

    private static ulong ApicBase(IBackendVcpu backend) =>
        backend.TryGetMsr(new MsrIndex(LocalApic.ApicBaseMsr), out ulong value) ? value : 0;

    private LocalApicState Read(Span<byte> page)
    {
        IBackendVcpu backend = cpu.ReadLocalApicPage(page);
        _ = backend.TryGetMsr(new MsrIndex(LocalApic.TscDeadlineMsr), out ulong deadline);
        LocalApicState outside = new()
        {
            Id = (uint)cpu.Id.Value,
            ApicBase = ApicBase(backend),
            TscDeadline = deadline,
        };
        return LocalApicImage.Read(page, outside, time.Now, ((IBackendLocalApic)backend).TimerFrequency);
    }

    private void Restore(LocalApicState state, Span<byte> page, LocalApicState present)
    {
        Scratch(present, page).Restore(state);
        IBackendVcpu backend = cpu.ReadLocalApicPage(page);
        if (state.ApicBase != present.ApicBase && !backend.TrySetMsr(new MsrIndex(LocalApic.ApicBaseMsr), state.ApicBase))
        {
            EngineThrow.Invalid("LocalApic.Restore", $"the hypervisor refuses IA32_APIC_BASE 0x{state.ApicBase:x}");
        }

        IBackendLocalApic apic = (IBackendLocalApic)backend;
        LocalApicImage.Write(state, page, time.Now, apic.TimerFrequency);
        apic.WriteLocalApic(page);
        if (state.TscDeadline != present.TscDeadline
            && !backend.TrySetMsr(new MsrIndex(LocalApic.TscDeadlineMsr), state.TscDeadline))
        {
            EngineThrow.Invalid("LocalApic.Restore", "the hypervisor refuses IA32_TSC_DEADLINE");
        }
    }

    private void Send(DeliveryMode mode, byte vector, bool level)
    {
        if (cpu.Id.Value > HighestXApicId)
        {
            EngineThrow.Refuse("lapic_set_intr", VmmError.ENOTSUP, $"no message reaches vCPU {cpu.Id} in the hypervisor");
        }

        (ulong address, uint data) = Msi.Encode(new InterruptMessage((uint)cpu.Id.Value, mode, vector, IsLevel: level));
        interrupts.SignalMsi(address, data);
    }

    // The checks and the layout are those of the engine's own chip.
    private LocalApic Scratch(LocalApicState state, ReadOnlySpan<byte> page)
    {
        ManualClock clock = new(now: time.Now);
        LocalApicOptions options = new()
        {
            Id = (uint)cpu.Id.Value,
            IsBootstrap = (state.ApicBase & Bootstrap) != 0,
            TscFrequency = SomeTscFrequency,
            HasEoiBroadcastSuppression = !page.IsEmpty && (LocalApicImage.ReadVersion(page) & SuppressesBroadcast) != 0,
        };
        LocalApic scratch = new(options, new InterruptFabric(cpu.Id.Value), NoProcessor.Instance, clock, clock.Deadlines);
        if (!page.IsEmpty)
        {
            scratch.Restore(state);
        }

        return scratch;
    }

    private sealed class NoProcessor : IApicSink
    {
        public static readonly NoProcessor Instance = new();

        public void InterruptPending()
        {
            // A chip that only holds state has no processor; so below.
        }

        public void ExternalInterrupt()
        {
            // As above.
        }

        public void Nmi()
        {
            // As above.
        }

        public void Init()
        {
            // As above.
        }

        public void StartUp(byte vector)
        {
            // As above.
        }
    }
}
