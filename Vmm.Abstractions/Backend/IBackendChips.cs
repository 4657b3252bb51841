// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.Backend;

/// <summary>
/// The I/O APIC, the 8259 pair and the 8254 that a hypervisor keeps for a VM in kernel mode. An optional interface of a backend VM; any
/// thread. The state is a copy: what the guest does between reading and writing it is lost.
/// </summary>
public interface IBackendChips
{
    /// <summary>How many pins its I/O APIC has.</summary>
    int IoApicPins { get; }

    /// <summary>Drives a pin of the I/O APIC, and no request of the 8259 pair.</summary>
    /// <param name="pin">The pin.</param>
    /// <param name="asserted">Its level.</param>
    /// <exception cref="VmmException">What the host refuses.</exception>
    void SetPin(int pin, bool asserted);

    /// <summary>Drives a request of the 8259 pair, and no pin of the I/O APIC.</summary>
    /// <param name="request">0 to 15, not 2.</param>
    /// <param name="asserted">Its level.</param>
    /// <exception cref="VmmException">What the host refuses.</exception>
    void SetRequest(int request, bool asserted);

    /// <summary>Gives the state of the I/O APIC.</summary>
    /// <returns>The state.</returns>
    /// <exception cref="VmmException">EINVAL: the VM is not in kernel mode.</exception>
    BackendIoApic ReadIoApic();

    /// <summary>Takes the state of the I/O APIC; asserted pins send as their entries say.</summary>
    /// <param name="state">The state.</param>
    /// <exception cref="VmmException">EINVAL: as for reading.</exception>
    void WriteIoApic(BackendIoApic state);

    /// <summary>Gives the state of one 8259.</summary>
    /// <param name="isSlave">The second chip instead of the first.</param>
    /// <returns>The state.</returns>
    /// <exception cref="VmmException">EINVAL: as above.</exception>
    Backend8259 Read8259(bool isSlave);

    /// <summary>Takes the state of one 8259.</summary>
    /// <param name="isSlave">The second chip instead of the first.</param>
    /// <param name="state">The state.</param>
    /// <exception cref="VmmException">EINVAL: as above.</exception>
    void Write8259(bool isSlave, in Backend8259 state);

    /// <summary>Gives the state of the 8254.</summary>
    /// <returns>The state.</returns>
    /// <exception cref="VmmException">EINVAL: as above.</exception>
    Backend8254 Read8254();

    /// <summary>Takes the state of the 8254; its counters begin their counts anew.</summary>
    /// <param name="state">The state.</param>
    /// <exception cref="VmmException">EINVAL: as above.</exception>
    void Write8254(in Backend8254 state);
}
