// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Engine.Events;

/// <summary>What is asked of a descriptor that is registered as an eventfd.</summary>
internal static class EventDescriptor
{
    private const string EventLink = "anon_inode:[eventfd]";

    /// <summary>What is no eventfd could be read or written otherwise than by eight bytes. The caller keeps the descriptor open.</summary>
    public static void Require(string operation, SafeHandle? descriptor)
    {
        if (descriptor is null)
        {
            return;
        }

        string? link = new FileInfo($"/proc/self/fd/{descriptor.DangerousGetHandle()}").LinkTarget;
        if (link is null)
        {
            EngineThrow.Refuse(operation, VmmError.EBADF, "the descriptor is closed");
        }

        if (!link.EndsWith(EventLink, StringComparison.Ordinal))
        {
            EngineThrow.Invalid(operation, $"the descriptor is {Path.GetFileName(link)}, not an eventfd");
        }
    }
}
