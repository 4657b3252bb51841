// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;
using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>
/// A processor as CPUID describes it: leaves in order, and features by name. Not thread-safe. What belongs to one vCPU
/// (identifiers, topology) comes later, by <see cref="VcpuLeaves"/>.
/// </summary>
public sealed partial class CpuDefinition
{
    private readonly List<CpuidEntry> _entries = [];

    /// <summary>Makes a definition.</summary>
    /// <param name="entries">The leaves, in any order; of two for the same query the first one counts.</param>
    public CpuDefinition(ReadOnlySpan<CpuidEntry> entries)
    {
        foreach (ref readonly CpuidEntry entry in entries)
        {
            if (Locate(entry.Function, entry.MatchIndex ? entry.Index : 0) < 0)
            {
                Put(entry);
            }
        }
    }

    /// <summary>The leaves, ordered by function and index.</summary>
    public ImmutableArray<CpuidEntry> Entries => [.. _entries];

    /// <summary>The vendor's twelve letters; empty without leaf 0.</summary>
    public string VendorName
    {
        get
        {
            if (!TryGet(0, 0, out CpuidEntry entry))
            {
                return "";
            }

            ReadOnlySpan<uint> words = [entry.Ebx, entry.Edx, entry.Ecx];
            return Encoding.Latin1.GetString(MemoryMarshal.AsBytes(words)).TrimEnd('\0');
        }
    }

    /// <summary>The vendor.</summary>
    public CpuVendor Vendor => VendorName switch
    {
        "GenuineIntel" => CpuVendor.Intel,
        "AuthenticAMD" or "HygonGenuine" => CpuVendor.Amd,
        _ => CpuVendor.Unknown,
    };

    /// <summary>Family, model and stepping as leaf 1 encodes them (EAX), and as Linux shows them.</summary>
    public (uint Family, uint Model, uint Stepping) Signature
    {
        get
        {
            uint eax = TryGet(1, 0, out CpuidEntry entry) ? entry.Eax : 0;
            uint family = eax >> 8 & 0xf;
            uint model = eax >> 4 & 0xf;
            if (family is 6 or 15)
            {
                model |= eax >> 12 & 0xf0;
            }

            return (family == 15 ? family + (eax >> 20 & 0xff) : family, model, eax & 0xf);
        }
    }

    /// <summary>The name that the processor gives itself; empty when it gives none.</summary>
    public string BrandName
    {
        get
        {
            StringBuilder text = new();
            for (uint function = 0x8000_0002; function <= 0x8000_0004; function++)
            {
                if (TryGet(function, 0, out CpuidEntry entry))
                {
                    ReadOnlySpan<uint> words = [entry.Eax, entry.Ebx, entry.Ecx, entry.Edx];
                    text.Append(Encoding.Latin1.GetString(MemoryMarshal.AsBytes(words)));
                }
            }

            return text.ToString().Split('\0')[0].Trim();
        }
    }

    /// <summary>The width of a physical address in bits; 36 where the processor does not say.</summary>
    public int PhysicalAddressBits =>
        TryGet(0x8000_0008, 0, out CpuidEntry entry) && (entry.Eax & 0xff) != 0 ? (int)(entry.Eax & 0xff) : 36;

    /// <summary>The names of the features that are on, in the table's order.</summary>
    public ImmutableArray<string> Features => [.. CpuFeatures.All.Where(feature => Has(feature)).Select(feature => feature.Name)];

    /// <summary>Finds a leaf.</summary>
    /// <param name="function">The leaf.</param>
    /// <param name="index">The subleaf; without meaning where the leaf has none.</param>
    /// <param name="entry">The leaf's registers.</param>
    /// <returns>Whether it exists.</returns>
    public bool TryGet(uint function, uint index, out CpuidEntry entry)
    {
        int at = Locate(function, index);
        entry = at < 0 ? default : _entries[at];
        return at >= 0;
    }

    /// <summary>Sets a leaf, replacing the one for the same query.</summary>
    /// <param name="entry">The leaf.</param>
    public void Put(in CpuidEntry entry)
    {
        CpuidEntry clean = entry.MatchIndex ? entry : entry with { Index = 0 };
        int at = Locate(clean.Function, clean.Index);
        if (at >= 0)
        {
            _entries[at] = clean;
        }
        else
        {
            _entries.Insert(~at, clean);
        }
    }

    /// <summary>Removes a leaf with all its subleaves.</summary>
    /// <param name="function">The leaf.</param>
    public void Remove(uint function) => _entries.RemoveAll(entry => entry.Function == function);

    /// <summary>Removes the leaves of a range.</summary>
    /// <param name="first">The first leaf.</param>
    /// <param name="last">The last leaf.</param>
    public void Remove(uint first, uint last) => _entries.RemoveAll(entry => entry.Function >= first && entry.Function <= last);

    /// <summary>Whether a feature is on.</summary>
    /// <param name="feature">The feature.</param>
    /// <returns>Whether its bit is set.</returns>
    public bool Has(in CpuFeature feature) =>
        TryGet(feature.Function, feature.Index, out CpuidEntry entry) && feature.IsIn(entry) && feature.IsSet(entry);

    /// <summary>Whether a feature is on.</summary>
    /// <param name="name">The feature's name.</param>
    /// <returns>Whether its bit is set; no for a name that does not exist.</returns>
    public bool Has(string name) => CpuFeatures.TryFind(name, out CpuFeature feature) && Has(feature);

    /// <summary>Sets or clears a feature's bit and nothing else, creating its leaf when there is none.</summary>
    internal void SetBit(in CpuFeature feature, bool enabled)
    {
        if (!TryGet(feature.Function, feature.Index, out CpuidEntry entry) || !feature.IsIn(entry))
        {
            if (!enabled)
            {
                return;
            }

            bool hasSubleaves = CpuidEntryExtensions.HasSubleaves(feature.Function);
            entry = new CpuidEntry(feature.Function, hasSubleaves ? feature.Index : 0, hasSubleaves, 0, 0, 0, 0);
            Reach(feature.Function, feature.Index);
        }

        Put(feature.With(entry, enabled));
    }

    /// <summary>Raises the greatest leaf of a range, and leaf 7's greatest subleaf, to what is in use.</summary>
    private void Reach(uint function, uint index)
    {
        uint range = function & 0xf000_0000;
        CpuidEntry head = TryGet(range, 0, out CpuidEntry known) ? known : new CpuidEntry(range, 0, false, 0, 0, 0, 0);
        Put(head with { Eax = Math.Max(head.Eax, function) });
        if (function == 7 && index > 0)
        {
            CpuidEntry seven = TryGet(7, 0, out known) ? known : new CpuidEntry(7, 0, true, 0, 0, 0, 0);
            Put(seven with { Eax = Math.Max(seven.Eax, index) });
        }
    }

    /// <summary>The place of a leaf, or the complement of where it belongs. An entry for any index answers all of them.</summary>
    private int Locate(uint function, uint index)
    {
        int low = 0;
        int high = _entries.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            CpuidEntry entry = _entries[middle];
            int order = entry.Function != function
                ? entry.Function.CompareTo(function)
                : entry.MatchIndex ? entry.Index.CompareTo(index) : 0;
            if (order == 0)
            {
                return middle;
            }

            if (order < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return ~low;
    }
}
