// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;

namespace Vmm.Engine.Chips;

/// <summary>
/// The board's NMI: what devices report (PCI's SERR#, a watchdog, a button), through the gate of port 70h, bit 7, to local interrupt 1 of each
/// processor. An interrupt is the gate's output rising, so that one held back comes when the guest opens the gate while its device still
/// reports. Any thread; one lock, which comes after a chip's.
/// </summary>
/// <remarks>What processors send each other, and what <see cref="VirtualCpu.InjectNmi"/> gives to one, does not pass the gate.</remarks>
internal sealed class SystemNmi(VirtualMachine machine)
{
    private readonly Lock _lock = new();
    private int _reports;
    private bool _isMasked;

    /// <summary>Gives a device its wire; the NMI is reported while any is asserted.</summary>
    public IInterruptLine CreateWire() => new Wire(this);

    /// <summary>The guest closes or opens the gate.</summary>
    public void SetMasked(bool masked)
    {
        lock (_lock)
        {
            bool before = IsRaised;
            _isMasked = masked;
            Follow(before);
        }
    }

    private bool IsRaised => _reports != 0 && !_isMasked;

    private void Report(int change)
    {
        lock (_lock)
        {
            bool before = IsRaised;
            _reports += change;
            Follow(before);
        }
    }

    private void Follow(bool before)
    {
        if (before || !IsRaised || machine.IsDisposed)
        {
            return;
        }

        foreach (VirtualCpu cpu in machine.VcpuSpan)
        {
            cpu.RaiseNmiPin();
        }
    }

    private sealed class Wire(SystemNmi nmi) : IInterruptLine
    {
        private int _level;

        public void SetLevel(bool asserted)
        {
            int level = asserted ? 1 : 0;
            int change = level - Interlocked.Exchange(ref _level, level);
            if (change != 0)
            {
                nmi.Report(change);
            }
        }
    }
}
