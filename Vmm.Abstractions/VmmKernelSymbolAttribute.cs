// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions;

/// <summary>
/// Names the declaration of bhyve's <c>vmm_kernel.h</c> that a public member re-expresses.
/// </summary>
/// <remarks>
/// Fields are written as <c>vmm_ops.vmrun</c>. A member that covers several declarations carries the attribute several
/// times. <c>docs/vmm-kernel-map.md</c> is generated from these attributes.
/// </remarks>
/// <param name="name">The declaration's name in the header.</param>
[AttributeUsage(AttributeTargets.All, AllowMultiple = true, Inherited = false)]
public sealed class VmmKernelSymbolAttribute(string name) : Attribute
{
    /// <summary>The declaration's name in the header.</summary>
    public string Name { get; } = name;
}
