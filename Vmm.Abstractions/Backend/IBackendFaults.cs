// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Events;

namespace Vmm.Abstractions.Backend;

/// <summary>An optional interface of a backend vCPU that remembers what led to a shutdown. For the vCPU's owner.</summary>
public interface IBackendFaults
{
    /// <summary>The events that led to the last <see cref="Vcpu.ExitCode.Shutdown"/>, the oldest first.</summary>
    /// <returns>The events; empty when there was none.</returns>
    ImmutableArray<FaultStep> ReadShutdown();
}
