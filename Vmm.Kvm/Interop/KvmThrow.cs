// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <summary>The one place where a refusal of the host becomes an exception.</summary>
internal static class KvmThrow
{
    /// <summary>A call that failed with an error number.</summary>
    /// <param name="operation">The call or request, by the kernel's name.</param>
    /// <param name="errno">The error number.</param>
    /// <param name="hint">What the caller can do about it, if that is known.</param>
    public static VmmException Host(string operation, int errno, string? hint = null)
    {
        VmmError error = (VmmError)errno;
        string text = Enum.IsDefined(error)
            ? LibC.ErrnoText(errno)
            : $"{LibC.ErrnoName(errno)} ({LibC.ErrnoText(errno)})";
        return new VmmException(operation, error, hint is null ? text : $"{text}; {hint}");
    }

    /// <summary>A request that needs what this host's KVM does not have.</summary>
    /// <param name="operation">The request, by the kernel's name.</param>
    /// <param name="capability">The missing capability.</param>
    public static KvmMissingCapabilityException Missing(string operation, KvmCapability capability) =>
        new(operation, capability);

    /// <summary>The kernel's name of a capability, such as <c>KVM_CAP_NESTED_STATE</c>.</summary>
    /// <param name="capability">The capability.</param>
    public static string KernelName(KvmCapability capability)
    {
        string name = capability.ToString();
        StringBuilder result = new("KVM_CAP");
        foreach (char letter in name)
        {
            if (char.IsAsciiLetterUpper(letter))
            {
                result.Append('_');
            }

            result.Append(char.ToUpperInvariant(letter));
        }

        return result.ToString();
    }
}
