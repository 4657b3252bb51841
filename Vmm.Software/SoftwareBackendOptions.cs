// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software;

/// <summary>How the software backend is made.</summary>
public sealed record SoftwareBackendOptions
{
    /// <summary>How many vCPUs a VM may have.</summary>
    public const int DefaultMaxCpus = 254;

    /// <summary>How many vCPUs a VM may have, 1 or more.</summary>
    public int MaxCpus { get; init; } = DefaultMaxCpus;

    /// <summary>How often a block of code is executed before it becomes code of the host, unless said otherwise.</summary>
    public const int DefaultTranslatesAfter = 100_000;

    /// <summary>
    /// How often a block of 64-bit code is executed before the host's runtime compiles it, on a thread of its pool; 0 for never. It
    /// changes nothing but speed.
    /// </summary>
    public int TranslatesAfter { get; init; } = DefaultTranslatesAfter;

    /// <summary>
    /// After what time it is looked, again and again, at what each vCPU does, for shares of time among the statistics of the vCPUs; zero, the
    /// default, for never. It costs a thread for each VM that has a vCPU.
    /// </summary>
    public TimeSpan SamplingInterval { get; init; }

    /// <summary>Whether the executing thread compiles, so that what is executed how can be repeated: for tests.</summary>
    internal bool TranslatesAtOnce { get; init; }

    /// <summary>Time that instructions make, for runs that can be repeated: of one VM with one vCPU. Null: the host's time.</summary>
    public InstructionTime? Time { get; init; }
}
