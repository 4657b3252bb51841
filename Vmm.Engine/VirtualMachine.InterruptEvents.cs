// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Events;
using Vmm.Engine.Events;

namespace Vmm.Engine;

/// <content>Interrupts that events of the host raise.</content>
public sealed partial class VirtualMachine : IInterruptEvents
{
    /// <summary>The events that raise interrupts.</summary>
    internal InterruptEvents InterruptEvents { get; }

    /// <inheritdoc/>
    public IDisposable AttachLine(int line, SafeHandle trigger, SafeHandle? resample = null) =>
        InterruptEvents.AttachLine(line, trigger, resample);

    /// <inheritdoc/>
    public IDisposable AttachMessage(ulong address, uint data, SafeHandle trigger) =>
        InterruptEvents.AttachMessage(address, data, trigger);
}
