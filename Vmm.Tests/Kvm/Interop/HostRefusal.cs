// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Kvm.Interop;

namespace Vmm.Tests.Kvm.Interop;

/// <summary>What a host says about a request that it does not have.</summary>
internal static class HostRefusal
{
    /// <summary>The capability that an action is refused for.</summary>
    public static KvmCapability Of(Action action)
    {
        KvmMissingCapabilityException refusal = action.Should().Throw<KvmMissingCapabilityException>().Which;
        refusal.Message.Should().Contain(KvmThrow.KernelName(refusal.Capability));
        return refusal.Capability;
    }

    /// <summary>Runs a check where the VM has a capability, and else expects the check's first call to name it.</summary>
    public static void Unless(KvmVmFd vm, KvmCapability capability, Action check)
    {
        if (vm.CheckExtension(capability) != 0)
        {
            check();
        }
        else
        {
            Of(check).Should().Be(capability);
            TestContext.Out.WriteLine($"not on this host: {KvmThrow.KernelName(capability)}; refused by name");
        }
    }
}
