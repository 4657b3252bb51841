// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;

namespace Vmm.Cli.Backends;

/// <summary>A backend that was chosen and opened.</summary>
/// <param name="Backend">The backend, owned by whoever got this.</param>
/// <param name="InterruptControllers">Who has the interrupt controllers with it.</param>
/// <param name="Reason">Why it was chosen, as half a sentence; null when the command line named it.</param>
internal sealed record OpenedBackend(IHypervisorBackend Backend, InterruptControllerMode InterruptControllers, string? Reason) : IDisposable
{
    /// <summary>Whether code that runs often becomes code of the host; null with KVM, which has nothing to translate.</summary>
    public bool? Translates { get; init; }

    /// <summary>Tells a person which backend was chosen, and why.</summary>
    /// <param name="writer">Where.</param>
    public void Announce(TextWriter writer)
    {
        if (Reason is not null)
        {
            writer.WriteLine($"vmm: backend {Backend.Description.Name}: {Reason}");
        }
    }

    /// <summary>Lets the backend go.</summary>
    public void Dispose() => Backend.Dispose();
}
