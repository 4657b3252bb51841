// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;

namespace Vmm.Engine.Chips;

/// <summary>
/// A device's wire to an interrupt request of the engine's own controllers. It counts once, however often the device drives it to
/// the same level. Any thread; one lock, under which the controllers are told.
/// </summary>
internal sealed class ChipLine(VirtualMachine machine, int line) : IInterruptLine
{
    private readonly Lock _lock = new();
    private PlatformChips? _chips;
    private bool _level;

    /// <inheritdoc/>
    public void SetLevel(bool asserted)
    {
        lock (_lock)
        {
            // The controllers of a reinitialized VM know nothing of levels driven before; a VM that is being made has none yet.
            PlatformChips? chips = machine.Chips;
            bool before = _level && _chips == chips;
            _chips = chips;
            _level = asserted;
            if (asserted != before)
            {
                chips?.Drive(line, asserted);
            }
        }
    }
}
