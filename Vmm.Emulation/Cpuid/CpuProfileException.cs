// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Cpuid;

/// <summary>A text is no profile; the message says where and why.</summary>
internal sealed class CpuProfileException(string message) : Exception(message);
