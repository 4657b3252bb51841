// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Events;

namespace Vmm.Software;

/// <content>What led to a shutdown, as the executor saw it.</content>
internal sealed partial class SoftwareVcpu : IBackendFaults
{
    /// <inheritdoc/>
    public ImmutableArray<FaultStep> ReadShutdown() => State.Trail.ToSteps();
}
