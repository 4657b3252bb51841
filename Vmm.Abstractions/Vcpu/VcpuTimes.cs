// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Vcpu;

/// <summary>
/// A vCPU's time by what it was spent on (<c>vmm_vcpu_kstats_t</c>); the stretch that is still going on is not included.
/// </summary>
/// <param name="Vcpu">The vCPU.</param>
/// <param name="Init">Before the first run, and waiting for the others of a suspended VM.</param>
/// <param name="Run">In the guest.</param>
/// <param name="Idle">Waiting for an event.</param>
/// <param name="EmulationEngine">In the engine and its handlers.</param>
/// <param name="EmulationUser">In the embedder, between two runs.</param>
/// <param name="Scheduled">Without a host CPU.</param>
[VmmKernelSymbol("vmm_vcpu_kstats")]
[VmmKernelSymbol("vmm_vcpu_kstats_t")]
public readonly record struct VcpuTimes(
    [property: VmmKernelSymbol("vmm_vcpu_kstats.vvk_vcpu")] VcpuId Vcpu,
    [property: VmmKernelSymbol("vmm_vcpu_kstats.vvk_time_init")] TimeSpan Init,
    [property: VmmKernelSymbol("vmm_vcpu_kstats.vvk_time_run")] TimeSpan Run,
    [property: VmmKernelSymbol("vmm_vcpu_kstats.vvk_time_idle")] TimeSpan Idle,
    [property: VmmKernelSymbol("vmm_vcpu_kstats.vvk_time_emu_kern")] TimeSpan EmulationEngine,
    [property: VmmKernelSymbol("vmm_vcpu_kstats.vvk_time_emu_user")] TimeSpan EmulationUser,
    [property: VmmKernelSymbol("vmm_vcpu_kstats.vvk_time_sched")] TimeSpan Scheduled);
