// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Abstractions.Machine;

/// <summary>What a VM is created with. The limits default to those of bhyve's kernel.</summary>
public sealed record VirtualMachineOptions
{
    /// <summary>The name: 1 to 127 characters, no slash.</summary>
    public required string Name { get; init; }

    /// <summary>Creation flags.</summary>
    public CreateFlags Flags { get; init; }

    /// <summary>How many vCPUs the VM may have, from 1 on.</summary>
    public int MaxCpus { get; init; } = 32;

    /// <summary>How many memory segments the VM may have.</summary>
    public int MaxMemorySegments { get; init; } = 5;

    /// <summary>How many memory mappings the VM may have.</summary>
    public int MaxMemoryMappings { get; init; } = 8;

    /// <summary>How many ports may have a handler.</summary>
    public int MaxPortHandlers { get; init; } = 64;

    /// <summary>Who has the interrupt controllers.</summary>
    public InterruptControllerMode InterruptControllerMode { get; init; }

    /// <summary>
    /// Whether the engine gives the VM a PC's interrupt controllers and timers: all of them in userspace mode; where the hypervisor has
    /// the controllers, those that it lacks. Without it a VM in userspace mode has none, and the embedder answers for them.
    /// </summary>
    public bool PlatformChips { get; init; }

    /// <summary>
    /// What happens to port and memory-mapped accesses that nobody claims: the engine answers (reads all ones, writes
    /// dropped), or <see cref="IVirtualCpu.Run"/> returns them.
    /// </summary>
    public UnclaimedAccess UnclaimedAccess { get; init; }

    /// <summary>What happens to MSR accesses that the hypervisor hands over and nobody claims.</summary>
    public UnclaimedMsr UnclaimedMsr { get; init; }

    /// <summary>
    /// Which MSRs the hypervisor may handle by itself; accesses to the others come to the engine. All that it knows when null.
    /// </summary>
    public MsrFilter? MsrFilter { get; init; }

    /// <summary>
    /// Whether the engine answers for MSRs that it knows, when the hypervisor hands an access over and no handler takes it: it keeps
    /// those that the hypervisor lacks, and knows what operating systems touch on every machine. Without it such accesses are
    /// unclaimed.
    /// </summary>
    public bool EngineMsrs { get; init; }

    /// <summary>
    /// Whether the engine executes instructions that the hypervisor cannot emulate. Without it each of them is an
    /// <see cref="ExitCode.InstructionEmulation"/> exit.
    /// </summary>
    public bool SecondChance { get; init; } = true;

    /// <summary>
    /// Instructions that the guest executes without an exit; creating the VM fails with ENOTSUP where the hypervisor cannot do that.
    /// </summary>
    public DisabledExits DisabledExits { get; init; }

    /// <summary>
    /// Where the hypervisor interprets kernel mode, whether the engine executes it from the start (with <see cref="SecondChance"/>);
    /// otherwise a vCPU begins with that at the first instruction that the hypervisor cannot emulate.
    /// </summary>
    public bool CarriesFromStart { get; init; }

    /// <summary>The devices of the host that are set aside for guests; <see cref="IDevicePassthrough.IsPassthroughDevice"/> tells.</summary>
    public ImmutableHashSet<PciFunction> PassthroughDevices { get; init; } = [];

    /// <summary>Whether vCPUs that all halt with interrupts disabled suspend the VM.</summary>
    public bool DetectHalt { get; init; } = true;

    /// <summary>
    /// Whether <see cref="IVirtualCpu.Run"/> fails with EBUSY while the VM is paused, as later versions of bhyve have it; otherwise a pause
    /// stops times and timers, and the guest may go on.
    /// </summary>
    public bool PauseRefusesRuns { get; init; }

    /// <summary>
    /// Whether a clock that is turned by hand is turned on to the next deadline when a vCPU has nothing to do but wait for it. For a VM
    /// with one vCPU, whose time is otherwise made by what it executes.
    /// </summary>
    public bool SkipsIdleTime { get; init; }
}
