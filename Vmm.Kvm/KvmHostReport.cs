// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Backend;

namespace Vmm.Kvm;

/// <summary>What KVM on this host can do.</summary>
public sealed record KvmHostReport
{
    /// <summary>The device.</summary>
    public required KvmDevice Device { get; init; }

    /// <summary>How the host executes guests.</summary>
    public HostVirtualization Virtualization { get; init; }

    /// <summary>Whether the host is a virtual machine itself.</summary>
    public bool IsNested { get; init; }

    /// <summary>The kernel's release, as <c>uname -r</c> shows it.</summary>
    public string Kernel { get; init; } = "";

    /// <summary>The version of KVM's interface; 0 when it could not be asked.</summary>
    public int ApiVersion { get; init; }

    /// <summary>How many vCPUs a VM may have.</summary>
    public int MaxVcpus { get; init; }

    /// <summary>The capabilities that matter, the required ones first; empty when they could not be asked.</summary>
    public ImmutableArray<KvmCapabilityReport> Capabilities { get; init; } = [];

    /// <summary>What guests cost; null when nothing could be measured.</summary>
    public KvmMeasurements? Measurements { get; init; }

    /// <summary>Why guests cannot be run although the device opens; null otherwise.</summary>
    public string? Failure { get; init; }

    /// <summary>What works, in sentences.</summary>
    public ImmutableArray<string> Works { get; init; } = [];

    /// <summary>What does not, in sentences.</summary>
    public ImmutableArray<string> DoesNotWork { get; init; } = [];

    /// <summary>Whether guests can be run.</summary>
    public bool IsUsable => Device.IsUsable && Failure is null && Capabilities.All(static row => row.IsPresent || !row.IsRequired);
}
