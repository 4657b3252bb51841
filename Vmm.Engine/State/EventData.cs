// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.State;

namespace Vmm.Engine.State;

/// <summary>
/// The class VMM_ARCH of one vCPU, for its owner: the events that wait to be handed to the hypervisor, with the numbers that later versions
/// of bhyve give them.
/// </summary>
internal sealed class EventData(VirtualCpu cpu, VmmDataVersionEntry entry) : FieldData(entry)
{
    private const uint PendingNmi = 10;
    private const uint PendingExternalInterrupt = 11;
    private const uint PendingException = 12;
    private const uint PendingExitEvent = 13;

    private static readonly uint[] s_listed = [PendingNmi, PendingExternalInterrupt, PendingException, PendingExitEvent];

    /// <inheritdoc/>
    protected override IReadOnlyList<uint> Listed => s_listed;

    /// <inheritdoc/>
    protected override bool TryGet(uint number, out ulong value)
    {
        (EventInformation exitEvent, EventInformation exception) = cpu.GetPendingEvents();
        ulong? found = number switch
        {
            PendingNmi => cpu.IsNmiPending ? 1u : 0u,
            PendingExternalInterrupt => cpu.IsExternalInterruptPending ? 1u : 0u,
            PendingException => exception.Value,
            PendingExitEvent => exitEvent.Value,
            _ => null,
        };
        value = found ?? 0;
        return found is not null;
    }

    /// <inheritdoc/>
    protected override VmmError Check(uint number, ulong value)
    {
        EventInformation information = new(value);
        bool isPossible = number switch
        {
            PendingNmi or PendingExternalInterrupt => true,
            PendingException => !information.IsValid
                || (information.Type == EventType.HardwareException && VirtualCpu.ProblemOf(information) is null),
            PendingExitEvent => VirtualCpu.ProblemOf(information) is null,
            _ => false,
        };
        return isPossible ? VmmError.None : VmmError.EINVAL;
    }

    /// <inheritdoc/>
    protected override VmmError Set(uint number, ulong value)
    {
        switch (number)
        {
            case PendingNmi:
                cpu.SetNmiPending(value != 0);
                break;
            case PendingExternalInterrupt:
                cpu.SetExternalInterruptPending(value != 0);
                break;
            case PendingException:
                cpu.SetExceptionEvent(new EventInformation(value));
                break;
            default:
                cpu.SetExitEvent(new EventInformation(value));
                break;
        }

        return VmmError.None;
    }
}
