// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;

namespace Vmm.Emulation.Msr;

/// <summary>From a list of registers to as few ranges with bitmaps as are allowed.</summary>
internal static class MsrFilterCompiler
{
    public static MsrFilter Compile(MsrExposurePolicy policy)
    {
        if (policy.Exposure == MsrExposure.All)
        {
            return new MsrFilter(true, [], []);
        }

        bool isDefaultAllow = policy.Exposure == MsrExposure.AllBut;
        List<string> remarks = [];
        List<Span> reads = Collect(policy, MsrDirections.Read, remarks);
        List<Span> writes = Collect(policy, MsrDirections.Write, remarks);
        List<Group> groups = reads.SequenceEqual(writes)
            ? GroupOf(reads, MsrDirections.Both)
            : [.. GroupOf(reads, MsrDirections.Read), .. GroupOf(writes, MsrDirections.Write)];
        Merge(groups);
        if (groups.Count > MsrFilter.MostRanges)
        {
            groups = [.. Cover(reads, writes)];
        }

        if (groups.Count > MsrFilter.MostRanges)
        {
            IEnumerable<string> left = groups.Skip(MsrFilter.MostRanges).SelectMany(group => group.Spans)
                .Select(span => new MsrSelection(new MsrIndex(span.First), new MsrIndex(span.Last)).ToString()).Distinct();
            throw new VmmException(
                "MsrExposurePolicy.Compile",
                VmmError.ENOSPC,
                $"the registers lie in {groups.Count} ranges and a filter has {MsrFilter.MostRanges}; these do not fit: {string.Join(", ", left)}");
        }

        ImmutableArray<MsrFilterRange> ranges = [.. groups.Select(group => ToRange(group, isDefaultAllow))];
        if (ranges.IsEmpty && !isDefaultAllow)
        {
            // KVM refuses to deny everything without a range; one that denies a register changes nothing.
            ranges = [new MsrFilterRange(MsrDirections.Both, default, 1, [0])];
        }

        return new MsrFilter(isDefaultAllow, ranges, [.. remarks.Distinct()]);
    }

    /// <summary>The registers of one direction, in order, without overlap and without those of the local APIC.</summary>
    private static List<Span> Collect(MsrExposurePolicy policy, MsrDirections direction, List<string> remarks)
    {
        List<Span> spans = [];
        foreach (MsrSelection selection in policy.Registers.Where(selection => (selection.Directions & direction) != 0))
        {
            uint first = selection.First.Value;
            uint last = selection.Last.Value;
            bool touchesApic = first <= MsrRegistry.LastX2Apic && last >= MsrRegistry.FirstX2Apic;
            if (!touchesApic)
            {
                spans.Add(new Span(first, last));
                continue;
            }

            if (policy.Exposure == MsrExposure.AllBut)
            {
                remarks.Add($"{selection}: the local APIC's registers 0x800 to 0x8ff cannot be kept from the hypervisor; it handles them in x2APIC mode whatever a filter says");
            }

            if (first < MsrRegistry.FirstX2Apic)
            {
                spans.Add(new Span(first, MsrRegistry.FirstX2Apic - 1));
            }

            if (last > MsrRegistry.LastX2Apic)
            {
                spans.Add(new Span(MsrRegistry.LastX2Apic + 1, last));
            }
        }

        List<Span> merged = [];
        foreach (Span span in spans.OrderBy(span => span.First))
        {
            if (merged.Count > 0 && span.First <= (ulong)merged[^1].Last + 1)
            {
                merged[^1] = merged[^1] with { Last = Math.Max(merged[^1].Last, span.Last) };
            }
            else
            {
                merged.Add(span);
            }
        }

        return merged;
    }

    /// <summary>One group for each span, of at most the longest range's length. What is far too much is not cut to the end.</summary>
    private static List<Group> GroupOf(List<Span> spans, MsrDirections directions) =>
        [.. spans.SelectMany(Cut).Select(span => new Group(directions, [span]))];

    private static IEnumerable<Span> Cut(Span span)
    {
        const int Enough = MsrFilter.MostRanges + 1;
        ulong first = span.First;
        for (int piece = 1; first <= span.Last; piece++)
        {
            ulong last = piece == Enough ? span.Last : Math.Min(span.Last, first + MsrFilter.LongestRange - 1);
            yield return new Span((uint)first, (uint)last);
            first = last + 1;
        }
    }

    /// <summary>Joins the nearest neighbours until there are few enough, or none can be joined.</summary>
    private static void Merge(List<Group> groups)
    {
        while (groups.Count > MsrFilter.MostRanges)
        {
            int best = -1;
            ulong least = ulong.MaxValue;
            for (int at = 0; at + 1 < groups.Count; at++)
            {
                Group left = groups[at];
                Group right = groups[at + 1];
                ulong gap = (ulong)right.First - left.Last;
                bool canJoin = left.Directions == right.Directions
                    && right.First > left.Last
                    && (ulong)right.Last - left.First < MsrFilter.LongestRange
                    && !(left.First < MsrRegistry.FirstX2Apic && right.Last > MsrRegistry.LastX2Apic);
                if (canJoin && gap < least)
                {
                    least = gap;
                    best = at;
                }
            }

            if (best < 0)
            {
                return;
            }

            groups[best] = groups[best] with { Spans = [.. groups[best].Spans, .. groups[best + 1].Spans] };
            groups.RemoveAt(best + 1);
        }
    }

    /// <summary>The fewest groups there can be: each begins at the first register that is left and takes all within reach.</summary>
    private static IEnumerable<Group> Cover(List<Span> reads, List<Span> writes)
    {
        bool isOne = reads.SequenceEqual(writes);
        foreach (Group group in Cover(reads, isOne ? MsrDirections.Both : MsrDirections.Read))
        {
            yield return group;
        }

        foreach (Group group in Cover(isOne ? [] : writes, MsrDirections.Write))
        {
            yield return group;
        }
    }

    private static IEnumerable<Group> Cover(List<Span> spans, MsrDirections directions)
    {
        Group? open = null;
        foreach (Span span in spans.SelectMany(Cut))
        {
            bool fits = open is { } known
                && (ulong)span.Last - known.First < MsrFilter.LongestRange
                && !(known.First < MsrRegistry.FirstX2Apic && span.Last > MsrRegistry.LastX2Apic);
            if (fits)
            {
                open = open!.Value with { Spans = [.. open.Value.Spans, span] };
                continue;
            }

            if (open is { } full)
            {
                yield return full;
            }

            open = new Group(directions, [span]);
        }

        if (open is { } last)
        {
            yield return last;
        }
    }

    /// <summary>What is listed has the opposite of the default; what lies between has the default.</summary>
    private static MsrFilterRange ToRange(Group group, bool isDefaultAllow)
    {
        int count = (int)(group.Last - group.First + 1);
        byte[] bits = new byte[(count + 7) / 8];
        foreach (Span span in group.Spans)
        {
            for (uint bit = span.First - group.First; bit <= span.Last - group.First; bit++)
            {
                bits[bit / 8] |= (byte)(1 << (int)(bit % 8));
            }
        }

        for (int at = 0; isDefaultAllow && at < bits.Length; at++)
        {
            bits[at] = (byte)~bits[at];
        }

        return new MsrFilterRange(group.Directions, new MsrIndex(group.First), count, [.. bits]);
    }

    private readonly record struct Span(uint First, uint Last);

    private readonly record struct Group(MsrDirections Directions, ImmutableArray<Span> Spans)
    {
        public uint First => Spans[0].First;

        public uint Last => Spans[^1].Last;
    }
}
