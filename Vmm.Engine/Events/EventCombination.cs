// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;

namespace Vmm.Engine;

/// <summary>What two events together become.</summary>
internal enum EventCombinationResult
{
    /// <summary>There is none.</summary>
    None = 0,

    /// <summary>One is to be injected.</summary>
    Event = 1,

    /// <summary>The processor shuts down.</summary>
    TripleFault = 2,
}

/// <summary>
/// Combines an event whose delivery was cut short with an exception that came up meanwhile (Intel SDM volume 3, tables
/// 6-4 and 6-5).
/// </summary>
internal static class EventCombination
{
    private enum Class
    {
        Benign,
        Contributory,
        PageFault,
    }

    /// <summary>Combines two events.</summary>
    /// <param name="first">The older one, cut short.</param>
    /// <param name="second">The newer exception.</param>
    /// <param name="information">What to inject.</param>
    /// <param name="left">What stays recorded for the entry after.</param>
    public static EventCombinationResult Combine(
        EventInformation first, EventInformation second, out EventInformation information, out EventInformation left)
    {
        left = EventInformation.None;
        information = first.IsValid ? first : second;
        if (!first.IsValid || !second.IsValid)
        {
            return information.IsValid ? EventCombinationResult.Event : EventCombinationResult.None;
        }

        if (first.Type == EventType.HardwareException && first.Vector == (byte)ExceptionVector.DoubleFault)
        {
            information = EventInformation.None;
            return EventCombinationResult.TripleFault;
        }

        (Class older, Class newer) = (ClassOf(first), ClassOf(second));
        if ((older == Class.Contributory && newer == Class.Contributory)
            || (older == Class.PageFault && newer != Class.Benign))
        {
            information = EventInformation.Create(
                EventType.HardwareException, (byte)ExceptionVector.DoubleFault, errorCode: 0);
            return EventCombinationResult.Event;
        }

        information = second;
        left = first;
        return EventCombinationResult.Event;
    }

    private static Class ClassOf(EventInformation information)
    {
        if (information.Type is EventType.HardwareInterrupt or EventType.SoftwareInterrupt or EventType.Nmi)
        {
            return Class.Benign;
        }

        return (ExceptionVector)information.Vector switch
        {
            ExceptionVector.PageFault or ExceptionVector.Virtualization => Class.PageFault,
            ExceptionVector.DivideError or ExceptionVector.InvalidTss or ExceptionVector.SegmentNotPresent
                or ExceptionVector.StackFault or ExceptionVector.GeneralProtection => Class.Contributory,
            _ => Class.Benign,
        };
    }
}
