// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>
/// A map of 256 opcodes by four mandatory prefixes, expanded once from rows into packed cells. Immutable and shared.
/// </summary>
internal sealed class OpcodeMap
{
    private readonly List<ulong> _children = [];

    private OpcodeMap(ulong[] cells)
    {
        Cells = cells;
    }

    /// <summary>1024 cells; the index is the mandatory prefix (0 none, 1 66, 2 F3, 3 F2) times 256 plus the opcode.</summary>
    internal ulong[] Cells { get; }

    /// <summary>The children of selector cells.</summary>
    internal ulong[] Children { get; private set; } = [];

    /// <summary>Expands rows; two rows for one encoding, or a row that can never apply, is a mistake in the table.</summary>
    internal static OpcodeMap Expand(params OpcodeRow[][] tables)
    {
        List<OpcodeRow>[] byCell = new List<OpcodeRow>[1024];
        foreach (OpcodeRow[] rows in tables)
        {
            foreach (OpcodeRow row in rows)
            {
                for (int pp = 0; pp < 4; pp++)
                {
                    if (((int)row.Pp >> pp & 1) != 0)
                    {
                        (byCell[pp * 256 + row.Opcode] ??= []).Add(row);
                    }
                }
            }
        }

        OpcodeMap map = new(new ulong[1024]);
        for (int index = 0; index < byCell.Length; index++)
        {
            if (byCell[index] is { } candidates)
            {
                map.Cells[index] = map.Build(candidates, Dimensions.All, -1);
            }
        }

        map.Children = [.. map._children];
        return map;
    }

    [Flags]
    private enum Dimensions
    {
        Group = 1,
        Rm = 2,
        W = 4,
        L = 8,
        B = 16,
        All = 31,
    }

    private ulong Build(List<OpcodeRow> rows, Dimensions open, int group)
    {
        if (rows.Count == 0)
        {
            return OpcodeCell.Invalid;
        }

        if (open.HasFlag(Dimensions.Group) && rows.Exists(static r => r.IsGroup))
        {
            bool onlyOperandKind = rows.Count == 1 && rows[0].Slash is Slash.Mem or Slash.Reg;
            if (!onlyOperandKind)
            {
                int at = Reserve(16);
                for (int child = 0; child < 16; child++)
                {
                    int index = child;
                    _children[at + child] = Build(rows.FindAll(r => r.Covers(index)), open & ~Dimensions.Group, child);
                }

                return OpcodeCell.Select(SelectorKind.Group, at, modRm: true);
            }
        }

        if (open.HasFlag(Dimensions.Rm) && group >= 8 && rows.Exists(static r => r.Slash >= Slash.Exact))
        {
            int at = Reserve(8);
            for (int child = 0; child < 8; child++)
            {
                int modRm = 0xC0 | (group & 7) << 3 | child;
                List<OpcodeRow> matching = rows.FindAll(r => (int)r.Slash == ((int)Slash.Exact | modRm));
                _children[at + child] = Build(
                    matching.Count > 0 ? matching : rows.FindAll(static r => r.Slash < Slash.Exact), open & ~Dimensions.Rm, group);
            }

            return OpcodeCell.Select(SelectorKind.Rm, at, modRm: true);
        }

        rows = MostSpecific(rows);
        if (open.HasFlag(Dimensions.W) && rows.Exists(static r => (r.Wide & (Wide.W0 | Wide.W1)) != 0))
        {
            SelectorKind kind = rows.Exists(static r => r.Wide.HasFlag(Wide.W64)) ? SelectorKind.W64 : SelectorKind.W;
            return Pair(kind, rows, Wide.W0, Wide.W1, open & ~Dimensions.W, group);
        }

        if (open.HasFlag(Dimensions.L) && rows.Exists(static r => (r.Wide & (Wide.L0 | Wide.L1)) != 0))
        {
            return Pair(SelectorKind.L, rows, Wide.L0, Wide.L1, open & ~Dimensions.L, group);
        }

        if (open.HasFlag(Dimensions.B) && rows.Exists(static r => (r.Wide & (Wide.B0 | Wide.B1)) != 0))
        {
            return Pair(SelectorKind.B, rows, Wide.B0, Wide.B1, open & ~Dimensions.B, group);
        }

        if (rows.Count > 1)
        {
            throw new InvalidOperationException($"Opcode {rows[0].Opcode:X2} has two rows: {rows[0].Operation} and {rows[1].Operation}.");
        }

        OpcodeRow only = rows[0];
        Traits traits = only.Traits | only.Slash switch
        {
            Slash.Mem => Traits.Memory,
            Slash.Reg => Traits.Register,
            _ => Traits.None,
        };
        Form form = only.Slash == Slash.None ? only.Form : only.Form | Form.ModRm;
        return OpcodeCell.Pack(only.Operation, form, traits);
    }

    private ulong Pair(SelectorKind kind, List<OpcodeRow> rows, Wide zero, Wide one, Dimensions open, int group)
    {
        int at = Reserve(2);
        _children[at] = Build(rows.FindAll(r => !r.Wide.HasFlag(one)), open, group);
        _children[at + 1] = Build(rows.FindAll(r => !r.Wide.HasFlag(zero)), open, group);
        return OpcodeCell.Select(kind, at, rows.Exists(static r => r.Slash != Slash.None || ((uint)r.Form & OpcodeCell.ModRm) != 0));
    }

    /// <summary>
    /// A row for a particular mandatory prefix overrides one for any prefix (F3 0F BD is LZCNT beside BSR), and one for a
    /// digit overrides one for all (0F 1F /0 is NOP beside the reserved NOPs).
    /// </summary>
    private static List<OpcodeRow> MostSpecific(List<OpcodeRow> rows)
    {
        if (rows.Exists(static r => r.Pp != Pp.Any))
        {
            rows = rows.FindAll(static r => r.Pp != Pp.Any);
        }

        return rows.Exists(static r => r.IsGroup) ? rows.FindAll(static r => r.IsGroup) : rows;
    }

    private int Reserve(int count)
    {
        int at = _children.Count;
        for (int i = 0; i < count; i++)
        {
            _children.Add(OpcodeCell.Invalid);
        }

        return at;
    }
}
