// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software;

/// <summary>How the software backend is made.</summary>
public sealed record SoftwareBackendOptions
{
    /// <summary>How many vCPUs a VM may have.</summary>
    public const int DefaultMaxCpus = 254;

    /// <summary>How many vCPUs a VM may have, 1 or more.</summary>
    public int MaxCpus { get; init; } = DefaultMaxCpus;

    /// <summary>Time that instructions make, for runs that can be repeated: of one VM with one vCPU. Null: the host's time.</summary>
    public InstructionTime? Time { get; init; }
}
