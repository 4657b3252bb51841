// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Abstractions.Chips;

/// <summary>An I/O APIC (<c>struct vioapic</c>): pins with assertion counters. Any thread.</summary>
[VmmKernelSymbol("vioapic")]
public interface IIoApic : IVmmDataSource
{
    /// <summary>How many pins it has.</summary>
    int PinCount { get; }

    /// <summary>Asserts a pin once more.</summary>
    /// <param name="pin">The pin.</param>
    /// <exception cref="VmmException">EINVAL: no such pin; E2BIG: too many assertions.</exception>
    void AssertPin(int pin);

    /// <summary>Takes one assertion back.</summary>
    /// <param name="pin">The pin.</param>
    /// <exception cref="VmmException">EINVAL: no such pin; ERANGE: it is not asserted.</exception>
    void DeassertPin(int pin);

    /// <summary>Asserts a pin and takes it back.</summary>
    /// <param name="pin">The pin.</param>
    /// <exception cref="VmmException">EINVAL: no such pin.</exception>
    void PulsePin(int pin);
}
