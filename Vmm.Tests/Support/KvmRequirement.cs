// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Kvm;
using Vmm.Kvm.Interop;

namespace Vmm.Tests.Support;

/// <summary>
/// What a test of category Kvm needs. Without it the test is ignored with the reason, or fails where
/// <c>VMM_REQUIRE_KVM=1</c> says that this machine must have it.
/// </summary>
internal static class KvmRequirement
{
    private const string Variable = "VMM_REQUIRE_KVM";

    /// <summary>Opens <c>/dev/kvm</c>, or ends the test with the reason why not.</summary>
    public static KvmSystemFd Open()
    {
        try
        {
            return KvmSystemFd.Open();
        }
        catch (VmmException exception)
        {
            EndTest(Reason(exception));
            throw;
        }
    }

    /// <summary>Opens KVM as a backend of the engine, or ends the test with the reason why not.</summary>
    public static KvmBackend OpenBackend(KvmBackendOptions? options = null)
    {
        Open().Dispose();
        return KvmBackend.Open(options);
    }

    /// <summary>Ends the test unless the host has a capability.</summary>
    public static void Require(KvmSystemFd system, KvmCapability capability)
    {
        if (system.CheckExtension(capability) == 0)
        {
            Assert.Ignore($"this host's KVM lacks {KvmThrow.KernelName(capability)}");
        }
    }

    private static string Reason(VmmException exception) => exception.Error switch
    {
        VmmError.ENOENT => $"{KvmSystemFd.DefaultPath} is missing: {exception.Message}",
        VmmError.EACCES or VmmError.EPERM => $"{KvmSystemFd.DefaultPath} is not permitted: {exception.Message}",
        _ => $"{KvmSystemFd.DefaultPath} cannot be opened: {exception.Message}",
    };

    private static void EndTest(string reason)
    {
        if (Environment.GetEnvironmentVariable(Variable) == "1")
        {
            Assert.Fail($"{Variable}=1, but {reason}");
        }

        Assert.Ignore(reason);
    }
}
