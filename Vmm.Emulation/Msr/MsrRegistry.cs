// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Cpuid;

namespace Vmm.Emulation.Msr;

/// <summary>The model-specific registers that are known, by index and by name.</summary>
public static partial class MsrRegistry
{
    /// <summary>The first register of the local APIC's range.</summary>
    public const uint FirstX2Apic = 0x800;

    /// <summary>The last register of the local APIC's range.</summary>
    public const uint LastX2Apic = 0x8ff;

    private const uint Spread = 0x9e37_79b1;
    private const int Unknown = -1;

    private static readonly Slot[] s_slots = BuildSlots();
    private static readonly int s_shift = 32 - BitOperations.Log2((uint)s_slots.Length);

    private static readonly Lazy<FrozenDictionary<string, int>> s_byName = new(() =>
        All.Select((description, number) => (description.Name, number))
            .ToFrozenDictionary(pair => pair.Name, pair => pair.number, StringComparer.OrdinalIgnoreCase));

    /// <summary>Every register that is known, in groups.</summary>
    public static ImmutableArray<MsrDescription> All => Table.Rows;

    /// <summary>Finds a register.</summary>
    /// <param name="index">Its index.</param>
    /// <param name="description">What is known about it.</param>
    /// <returns>Whether it is known.</returns>
    public static bool TryFind(MsrIndex index, out MsrDescription description)
    {
        int number = NumberOf(index);
        description = number < 0 ? default : All[number];
        return number >= 0;
    }

    /// <summary>Finds a register.</summary>
    /// <param name="name">Its name, in letters of either case.</param>
    /// <param name="description">What is known about it.</param>
    /// <returns>Whether it is known.</returns>
    public static bool TryFind(string name, out MsrDescription description)
    {
        bool isKnown = s_byName.Value.TryGetValue(name, out int number);
        description = isKnown ? All[number] : default;
        return isKnown;
    }

    /// <summary>A register's name, and its index where it has none.</summary>
    /// <param name="index">The register.</param>
    /// <returns>Such as <c>IA32_PAT</c> or <c>0x1234</c>.</returns>
    public static string NameOf(MsrIndex index) =>
        NumberOf(index) is var number and >= 0 ? All[number].Name : $"0x{index.Value:x}";

    /// <summary>Reads a name or an index.</summary>
    /// <param name="text">A name, or an index as <c>0x…</c>.</param>
    /// <param name="index">The register.</param>
    /// <param name="problem">Otherwise what is wrong.</param>
    /// <returns>Whether it is one.</returns>
    public static bool TryParse(string text, out MsrIndex index, [NotNullWhen(false)] out string? problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        problem = null;
        index = default;
        if (text.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
        {
            if (uint.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint number))
            {
                index = new MsrIndex(number);
                return true;
            }

            problem = $"'{text}' is not the index of a register, 0x0 to 0xffffffff";
            return false;
        }

        if (TryFind(text, out MsrDescription description))
        {
            index = description.Index;
            return true;
        }

        problem = $"no register is called '{text}'; did you mean '{NearestName.Of(text, All.Select(known => known.Name))}'? Others are written by index, such as 0x10";
        return false;
    }

    /// <summary>A register's place in <see cref="All"/>. Does not allocate.</summary>
    /// <param name="index">The register.</param>
    /// <returns>Its place; negative when it is not known.</returns>
    public static int NumberOf(MsrIndex index)
    {
        Slot[] slots = s_slots;
        for (uint at = index.Value * Spread >> s_shift; ; at++)
        {
            Slot slot = slots[at & (uint)(slots.Length - 1)];
            if (slot.Key == index.Value || slot.Number < 0)
            {
                return slot.Number;
            }
        }
    }

    private static Slot[] BuildSlots()
    {
        ImmutableArray<MsrDescription> all = All;
        Slot[] slots = new Slot[BitOperations.RoundUpToPowerOf2((uint)all.Length * 3)];
        slots.AsSpan().Fill(new Slot(0, Unknown));
        int shift = 32 - BitOperations.Log2((uint)slots.Length);
        for (int number = 0; number < all.Length; number++)
        {
            uint at = all[number].Number * Spread >> shift;
            while (slots[at & (uint)(slots.Length - 1)].Number >= 0)
            {
                at++;
            }

            slots[at & (uint)(slots.Length - 1)] = new Slot(all[number].Number, number);
        }

        return slots;
    }

    private readonly record struct Slot(uint Key, int Number);

    /// <summary>In a class of its own, so that the rows exist before whatever of this class is initialized from them.</summary>
    private static class Table
    {
        public static readonly ImmutableArray<MsrDescription> Rows =
        [
            .. Processor(), .. MemoryTypes(), .. MachineCheck(), .. X2Apic(), .. Performance(), .. Virtualization(), .. Amd(),
        ];
    }
}
