// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Software;

namespace Vmm.Tests.Support;

/// <summary>The backends by the names that fixtures have: tests about guests and about the contract run on both.</summary>
internal static class Backends
{
    public const string Kvm = "kvm";
    public const string Software = "software";

    /// <summary>Opens a backend; ends the test where the host has no KVM and that is asked for.</summary>
    public static IHypervisorBackend Open(string kind) => kind == Kvm ? KvmRequirement.OpenBackend() : new SoftwareBackend();

    /// <summary>The mode that <c>vmm run</c> takes.</summary>
    public static InterruptControllerMode DefaultMode(string kind) =>
        kind == Kvm ? InterruptControllerMode.Kernel : InterruptControllerMode.Userspace;

    /// <summary>Ends the test where a backend has no interrupt controllers for a mode.</summary>
    public static void Require(string kind, InterruptControllerMode mode)
    {
        if (kind == Software && mode != InterruptControllerMode.Userspace)
        {
            Assert.Ignore("a processor in software has no interrupt controllers of its own");
        }
    }
}
