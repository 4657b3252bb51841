// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>
/// Everything that a <see cref="Uart16550"/> remembers. Two chips of equal state behave alike; the interrupt output
/// follows from the state.
/// </summary>
public readonly record struct UartState
{
    /// <summary>The layout this build writes and reads.</summary>
    public const int CurrentVersion = 1;

    /// <summary>Which layout this is.</summary>
    public int Version { get; init; }

    /// <summary>IER: four bits.</summary>
    public byte InterruptEnable { get; init; }

    /// <summary>The lasting bits of FCR: enable, DMA mode, trigger level.</summary>
    public byte FifoControl { get; init; }

    /// <summary>LCR.</summary>
    public byte LineControl { get; init; }

    /// <summary>MCR: five bits.</summary>
    public byte ModemControl { get; init; }

    /// <summary>SCR.</summary>
    public byte Scratch { get; init; }

    /// <summary>DLL and DLM.</summary>
    public ushort Divisor { get; init; }

    /// <summary>The error bits of LSR that have not been read.</summary>
    public UartLineErrors LineErrors { get; init; }

    /// <summary>The lines at the modem inputs, whatever loopback shows in their place.</summary>
    public UartModemInputs ModemInputs { get; init; }

    /// <summary>The four change bits of MSR that have not been read.</summary>
    public byte ModemChanges { get; init; }

    /// <summary>Whether the transmitter's emptiness has not been acknowledged.</summary>
    public bool TransmitInterrupt { get; init; }

    /// <summary>Characters received and not read, 0 to 16.</summary>
    public byte ReceiveCount { get; init; }

    /// <summary>These characters, the oldest in the lowest byte.</summary>
    public UInt128 ReceiveData { get; init; }

    /// <summary>Their errors, in the same order.</summary>
    public UInt128 ReceiveErrors { get; init; }
}
