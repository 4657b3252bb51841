// SPDX-License-Identifier: BSD-2-Clause

using Serilog;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Vcpu;
using Vmm.Kvm;
using Vmm.Software;

namespace Vmm.Cli.Backends;

/// <summary>Chooses what executes a guest. The only place that knows all backends.</summary>
/// <param name="Kind">What was asked for.</param>
/// <param name="Device">KVM's device.</param>
/// <param name="InterruptControllers">Who is to have the interrupt controllers; null for whoever does it best.</param>
internal sealed record BackendChoice(BackendKind Kind, string Device, InterruptControllerMode? InterruptControllers)
{
    private static readonly TimeSpan s_samplingInterval = TimeSpan.FromMilliseconds(1);

    /// <summary>What is wrong with KVM's device; null where it can be opened.</summary>
    public Func<string, string?> FindProblem { get; init; } = static device => KvmDevice.Inspect(device) is { IsUsable: false } state ? state.Problem : null;

    /// <summary>Opens KVM.</summary>
    public Func<string, ILogger?, IHypervisorBackend> OpenDevice { get; init; } = CliHost.OpenHypervisor;

    /// <summary>What was said about translating hot code, which only software does; null where nothing was.</summary>
    public bool? Translates { get; init; }

    /// <summary>Whether the software processor says where its time goes.</summary>
    public bool Samples { get; init; }

    /// <summary>Chooses and opens.</summary>
    /// <param name="log">Receives the backend's messages.</param>
    /// <param name="time">Time that instructions make, which only software has; null for the host's.</param>
    /// <returns>The backend, owned by the caller.</returns>
    /// <exception cref="UsageException">What was asked for does not go together.</exception>
    /// <exception cref="HypervisorException">KVM was asked for and cannot be used.</exception>
    public OpenedBackend Open(ILogger? log, InstructionTime? time = null)
    {
        switch (Kind)
        {
            case BackendKind.Kvm when Translates is not null:
                throw new UsageException($"{TranslateOption.Name} is about the software processor's code: KVM executes the guest's own");
            case BackendKind.Kvm when time is not null:
                throw new UsageException("--deterministic needs the software backend: a processor does not execute a run twice in the same way");
            case BackendKind.Kvm:
                return OpenKvm(log, reason: null);
            case BackendKind.Software:
                return OpenSoftware(reason: null, time);
            case BackendKind.Auto when time is not null:
                return OpenSoftware("a run that can be repeated needs it", time);
            case BackendKind.Auto when Translates is not null:
                return OpenSoftware($"{TranslateOption.Name} is about its code");
            default:
                return NeedsKvm
                    ? OpenKvm(log, $"--irqchip {InterruptControllers?.ToString().ToLowerInvariant()} asks for interrupt controllers of KVM")
                    : Device != DeviceOption.DefaultPath
                    ? OpenKvm(log, "--device names its device")
                    : OpenBest(log);
        }
    }

    private bool NeedsKvm => InterruptControllers is InterruptControllerMode.Kernel or InterruptControllerMode.Split;

    private OpenedBackend OpenBest(ILogger? log)
    {
        if (FindProblem(Device) is { } problem)
        {
            return OpenSoftware(problem);
        }

        IHypervisorBackend kvm;
        try
        {
            kvm = OpenDevice(Device, log);
        }
        catch (HypervisorException refusal)
        {
            return OpenSoftware($"KVM is of no use here: {refusal.Message}");
        }

        string? unfit = kvm.Description.Virtualization == HostVirtualization.Pvm
            ? "this host's KVM (PVM) interprets the guest's kernel, more slowly and less completely; --backend kvm takes it anyway"
            : TryVm(kvm) is { } reason ? $"KVM cannot run guests here: {reason}"
            : null;
        if (unfit is null)
        {
            return Opened(kvm, "it runs guests natively here");
        }

        kvm.Dispose();
        return OpenSoftware(unfit);
    }

    /// <summary>Makes a VM with a vCPU, which a host may refuse although the device can be opened: another hypervisor may have the processor.</summary>
    /// <returns>Why it cannot be made; null where it can.</returns>
    private static string? TryVm(IHypervisorBackend kvm)
    {
        try
        {
            using IBackendVm vm = kvm.CreateVm(
                new BackendVmOptions("trial", 1, InterruptControllerMode.Userspace, TrackDirty: false, MsrExits: false, HypercallExits: false));
            using IBackendVcpu vcpu = vm.CreateVcpu(new VcpuId(0));
            return null;
        }
        catch (VmmException refusal)
        {
            return refusal.Message;
        }
    }

    private OpenedBackend OpenKvm(ILogger? log, string? reason) => Opened(OpenDevice(Device, log), reason);

    private OpenedBackend Opened(IHypervisorBackend kvm, string? reason) =>
        new(kvm, InterruptControllers ?? InterruptControllerMode.Kernel, reason);

    private OpenedBackend OpenSoftware(string? reason, InstructionTime? time = null)
    {
        if (NeedsKvm)
        {
            throw new UsageException("--backend software has no kernel to have the interrupt controllers; leave --irqchip away, or use --irqchip userspace");
        }

        bool translates = Translates ?? true;
        SoftwareBackendOptions options = new()
        {
            TranslatesAfter = translates ? SoftwareBackendOptions.DefaultTranslatesAfter : 0,
            SamplingInterval = Samples ? s_samplingInterval : TimeSpan.Zero,
            Time = time,
        };
        return new OpenedBackend(new SoftwareBackend(options), InterruptControllerMode.Userspace, reason) { Translates = translates };
    }
}
