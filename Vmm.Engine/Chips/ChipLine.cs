// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;

namespace Vmm.Engine.Chips;

/// <summary>
/// A device's wire to an interrupt request of the VM's controllers, the engine's or the hypervisor's. It counts once, however often the device drives it to
/// the same level. Any thread; one lock, under which the controllers are told.
/// </summary>
internal sealed class ChipLine(VirtualMachine machine, int line) : IInterruptLine
{
    private readonly Lock _lock = new();
    private ILineTarget? _target;
    private bool _level;

    /// <inheritdoc/>
    public void SetLevel(bool asserted)
    {
        lock (_lock)
        {
            // The controllers of a reinitialized VM know nothing of levels driven before; a VM that is being made has none yet.
            ILineTarget? target = machine.LineTarget;
            bool before = _level && _target == target;
            _target = target;
            _level = asserted;
            if (asserted != before && !machine.IsDisposed)
            {
                target?.Drive(line, asserted);
            }
        }
    }
}
