// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm;

/// <summary>A capability of KVM on this host.</summary>
/// <param name="Name">The kernel's name of it.</param>
/// <param name="Value">What the kernel answers: 0 for absent, else a number with the capability's own meaning.</param>
/// <param name="IsRequired">Whether nothing works without it.</param>
/// <param name="Meaning">What it is for.</param>
public readonly record struct KvmCapabilityReport(string Name, int Value, bool IsRequired, string Meaning)
{
    /// <summary>Whether the host has it.</summary>
    public bool IsPresent => Value > 0;
}
