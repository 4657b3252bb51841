// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <content>Leaf 0xD: what XSAVE manages, how large it is and where it lies (Intel SDM volume 1, section 13.2).</content>
public sealed partial class CpuDefinition
{
    private const uint XsaveLeaf = 0xd;
    private const ulong Legacy = 3;
    private const uint LegacyAndHeader = 576;

    /// <summary>The components that IA32_XSS enables instead of XCR0.</summary>
    private const ulong SupervisorComponents = 0x1_fd00;

    /// <summary>The components that XCR0 may enable.</summary>
    public ulong UserStates =>
        TryGet(XsaveLeaf, 0, out CpuidEntry entry) ? (ulong)entry.Edx << 32 | entry.Eax : 0;

    /// <summary>The components that IA32_XSS may enable.</summary>
    public ulong SupervisorStates =>
        TryGet(XsaveLeaf, 1, out CpuidEntry entry) ? (ulong)entry.Edx << 32 | entry.Ecx : 0;

    /// <summary>
    /// Makes leaf 0xD agree with the features: the components are those of the features that are on and that the hypervisor
    /// manages; their sizes and places are the hypervisor's; the sizes of the whole area are those after reset (XCR0 = 1,
    /// IA32_XSS = 0), which the hypervisor keeps current afterwards.
    /// </summary>
    /// <param name="supported">What the hypervisor can give.</param>
    public void MakeXsaveConsistent(CpuDefinition supported)
    {
        ArgumentNullException.ThrowIfNull(supported);
        TryGet(XsaveLeaf, 1, out CpuidEntry one);
        Remove(XsaveLeaf);
        if (!Has("xsave"))
        {
            return;
        }

        ulong wanted = StateComponents | Legacy;
        ulong user = wanted & ~SupervisorComponents & (supported.UserStates | Legacy);
        ulong supervisor = (one.Eax & 8) != 0 ? wanted & SupervisorComponents & supported.SupervisorStates : 0;
        uint end = LegacyAndHeader;
        for (int component = 2; component < 63; component++)
        {
            ulong bit = 1UL << component;
            if (((user | supervisor) & bit) == 0)
            {
                continue;
            }

            if (!supported.TryGet(XsaveLeaf, (uint)component, out CpuidEntry entry) || entry.Eax == 0)
            {
                user &= ~bit;
                supervisor &= ~bit;
                continue;
            }

            Put(entry);
            if ((user & bit) != 0)
            {
                end = Math.Max(end, entry.Ebx + entry.Eax);
            }
        }

        const uint Compaction = 0b1010;
        Put(new CpuidEntry(XsaveLeaf, 0, true, (uint)user, LegacyAndHeader, end, (uint)(user >> 32)));
        Put(new CpuidEntry(
            XsaveLeaf, 1, true, one.Eax, (one.Eax & Compaction) != 0 ? LegacyAndHeader : 0, (uint)supervisor, (uint)(supervisor >> 32)));
        Reach(XsaveLeaf, 0);
    }

    /// <summary>Says what contradicts itself in leaf 0xD.</summary>
    /// <returns>Sentences; none when all is well.</returns>
    public IReadOnlyList<string> FindXsaveContradictions()
    {
        List<string> found = [];
        bool exists = TryGet(XsaveLeaf, 0, out CpuidEntry zero) && zero.Eax != 0;
        if (exists != Has("xsave"))
        {
            found.Add(exists ? "leaf 0xd describes state, but xsave is off" : "xsave is on, but leaf 0xd describes no state");
        }

        if (!exists)
        {
            return found;
        }

        uint end = LegacyAndHeader;
        ulong states = UserStates | SupervisorStates;
        for (int component = 2; component < 63; component++)
        {
            bool isListed = TryGet(XsaveLeaf, (uint)component, out CpuidEntry entry) && entry.Eax != 0;
            bool isEnabled = (states >> component & 1) != 0;
            if (isListed != isEnabled)
            {
                found.Add(isListed
                    ? $"leaf 0xd describes component {component}, which neither XCR0 nor IA32_XSS can enable"
                    : $"XCR0 or IA32_XSS can enable component {component}, which leaf 0xd does not describe");
            }

            if (isListed && (UserStates >> component & 1) != 0)
            {
                end = Math.Max(end, entry.Ebx + entry.Eax);
            }
        }

        if (zero.Ecx != end)
        {
            found.Add($"the XSAVE area ends at {end}, but leaf 0xd says {zero.Ecx}");
        }

        ulong unused = UserStates & ~Legacy & ~StateComponents;
        if (unused != 0)
        {
            found.Add($"XCR0 can enable component {BitOperations.TrailingZeroCount(unused)}, but no feature that is on has it");
        }

        return found;
    }
}
