// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Cli;

/// <summary>The host has no hypervisor that can be used; the message says why and what to do.</summary>
internal sealed class HypervisorException(string message, Exception inner) : Exception(message, inner);
