// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <summary>Finds out what KVM on this host can do.</summary>
public static class KvmDoctor
{
    private const string CpuInfo = "/proc/cpuinfo";
    private const string KernelRelease = "/proc/sys/kernel/osrelease";
    private const double SlowInstructionsPerSecond = 20e6;

    /// <summary>
    /// Examines the host, with a small guest for the measurements; takes about half a second. Never throws for what it
    /// finds.
    /// </summary>
    /// <param name="path">The device.</param>
    /// <param name="measure">Whether to run the guest.</param>
    /// <returns>The report.</returns>
    public static KvmHostReport Examine(string path = KvmSystemFd.DefaultPath, bool measure = true)
    {
        KvmDevice device = KvmDevice.Inspect(path);
        KvmHostReport report = new()
        {
            Device = device,
            Virtualization = KvmHost.Detect(),
            IsNested = IsVirtualMachine(),
            Kernel = File.Exists(KernelRelease) ? File.ReadAllText(KernelRelease).Trim() : "",
        };
        if (!device.IsUsable)
        {
            return report with { DoesNotWork = ["guests cannot be run on KVM at all"] };
        }

        try
        {
            report = AskKernel(report, path);
            report = measure ? report with { Measurements = KvmProbe.Measure(path) } : report;
        }
        catch (VmmException refusal)
        {
            return report with { Failure = refusal.Message, DoesNotWork = ["guests cannot be run on KVM at all"] };
        }

        (ImmutableArray<string> works, ImmutableArray<string> not) = Conclude(report);
        return report with { Works = works, DoesNotWork = not };
    }

    /// <summary>What follows from a report for the guests.</summary>
    internal static (ImmutableArray<string> Works, ImmutableArray<string> DoesNotWork) Conclude(KvmHostReport report)
    {
        List<string> works = [];
        List<string> not = [];
        if (report.Virtualization == HostVirtualization.Pvm)
        {
            works.Add("flat binaries, tests and the demo guest");
            works.Add("64-bit user-mode code (CPL 3) at the processor's own speed");
            works.Add("kernel-mode instructions that KVM's interpreter lacks (popcnt, cmpxchg16b, xsave, clac, SSE moves ...): executed in this process, as a second chance");
            works.Add("a Linux kernel up to its first process, slowly");
            not.Add("kernel-mode, 16-bit and 32-bit code at speed: KVM interprets it");
            not.Add("user-mode instructions that KVM would have to emulate, such as INT n: the guest gets an invalid-opcode or general-protection fault and there is no exit that could be given a second chance");
            not.Add("the user space of an operating system: SYSCALL does not reach the kernel's privilege level");
        }
        else
        {
            works.Add("kernels and whole operating systems at the processor's own speed");
            if (report.IsNested)
            {
                not.Add("cheap exits: this host is a virtual machine, so that each exit passes through the outer hypervisor as well");
            }
        }

        if (report.Virtualization != HostVirtualization.Pvm
            && report.Measurements is { InstructionsPerSecond: < SlowInstructionsPerSecond })
        {
            not.Add("kernel-mode code at speed: the measurement says that this host interprets it");
        }

        foreach (KvmCapabilityReport row in report.Capabilities)
        {
            if (row is { IsPresent: false, IsRequired: true })
            {
                not.Add($"anything: {row.Name} is missing ({row.Meaning})");
            }
        }

        if (IsAbsent(report, KvmCapability.Irqchip) || IsAbsent(report, KvmCapability.Pit2))
        {
            not.Add("'vmm run' and 'vmm demo': the PC board needs interrupt controllers and timer in the kernel");
        }

        return ([.. works], [.. not]);
    }

    private static bool IsAbsent(KvmHostReport report, KvmCapability capability)
    {
        string name = KvmThrow.KernelName(capability);
        return report.Capabilities.Any(row => row.Name == name && !row.IsPresent);
    }

    private static KvmHostReport AskKernel(KvmHostReport report, string path)
    {
        using KvmSystemFd system = KvmSystemFd.Open(path);
        return report with
        {
            ApiVersion = system.GetApiVersion(),
            MaxVcpus = system.CheckExtension(KvmCapability.MaxVcpus),
            Capabilities =
            [
                .. KvmCapabilityTable.Rows.Select(row => new KvmCapabilityReport(
                    KvmThrow.KernelName(row.Capability), system.CheckExtension(row.Capability), row.IsRequired, row.Meaning)),
            ],
        };
    }

    /// <summary>Whether CPUID told the kernel that a hypervisor is below it.</summary>
    private static bool IsVirtualMachine()
    {
        if (!File.Exists(CpuInfo))
        {
            return false;
        }

        string? flags = File.ReadLines(CpuInfo).FirstOrDefault(static line => line.StartsWith("flags", StringComparison.Ordinal));
        return flags is not null && flags.Split(' ').Contains("hypervisor");
    }
}
