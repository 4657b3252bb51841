// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>Something that answers CPUID: the host's processor, or a set of entries.</summary>
public interface ICpuidSource
{
    /// <summary>Answers a query.</summary>
    /// <param name="function">The leaf (EAX).</param>
    /// <param name="index">The subleaf (ECX).</param>
    /// <returns>The answer; its function and index are those asked for.</returns>
    CpuidEntry Query(uint function, uint index);
}
