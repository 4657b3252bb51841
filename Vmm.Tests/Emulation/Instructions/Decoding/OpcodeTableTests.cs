// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Tests.Emulation.Instructions.Decoding;

/// <summary>Walks every cell of every map and every group behind it.</summary>
public sealed class OpcodeTableTests
{
    private static readonly Dictionary<string, OpcodeMap> s_maps = new()
    {
        ["one-byte, 16/32"] = OpcodeTables.Legacy,
        ["one-byte, 64"] = OpcodeTables.Long,
        ["0F"] = OpcodeTables.Map0F,
        ["0F 38"] = OpcodeTables.Map0F38,
        ["0F 3A"] = OpcodeTables.Map0F3A,
        ["VEX 0F"] = OpcodeTables.Vex0F,
        ["VEX 0F 38"] = OpcodeTables.Vex0F38,
        ["VEX 0F 3A"] = OpcodeTables.Vex0F3A,
    };

    [Test]
    public void Every_cell_is_an_instruction_a_group_a_prefix_an_escape_or_invalid([ValueSource(nameof(MapNames))] string name)
    {
        OpcodeMap map = s_maps[name];
        HashSet<int> reached = [];
        List<string> wrong = [];
        for (int i = 0; i < map.Cells.Length; i++)
        {
            Walk(map, map.Cells[i], $"{name} {i:X3}", depth: 0, reached, wrong);
        }

        wrong.Should().BeEmpty();
        reached.Should().HaveCount(map.Children.Length, "no child of a selector is unreachable");
    }

    [Test]
    public void One_byte_maps_leave_only_undefined_opcodes_invalid()
    {
        IEnumerable<int> holes = Enumerable.Range(0, 256).Where(static opcode => OpcodeTables.Legacy.Cells[opcode] == OpcodeCell.Invalid);

        holes.Should().BeEmpty("the one-byte map has no undefined opcode outside 64-bit mode");
    }

    [Test]
    public void A_prefix_cell_is_one_under_every_mandatory_prefix()
    {
        int[] prefixes = [.. Enumerable.Range(0, 256).Where(static opcode => ((Traits)OpcodeTables.Long.Cells[opcode]).HasFlag(Traits.Prefix))];

        prefixes.Should().Equal([0x26, 0x2E, 0x36, 0x3E, .. Enumerable.Range(0x40, 16), 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3]);
        prefixes.Should().OnlyContain(static opcode => Enumerable.Range(0, 4).All(pp => OpcodeTables.Long.Cells[pp * 256 + opcode] == OpcodeTables.Long.Cells[opcode]));
    }

    [Test]
    public void Two_rows_for_one_encoding_are_refused()
    {
        OpcodeRow[] rows = [new(0x10, Operation.Add, Form.None), new(0x10, Operation.Sub, Form.None)];

        Action expand = () => OpcodeMap.Expand(rows);

        expand.Should().Throw<InvalidOperationException>().WithMessage("*10*Add*Sub*");
    }

    private static string[] MapNames() => [.. s_maps.Keys];

    private static void Walk(OpcodeMap map, ulong cell, string path, int depth, HashSet<int> reached, List<string> wrong)
    {
        if ((cell & (ulong)Traits.Selector) == 0)
        {
            Operation operation = (Operation)(cell >> OpcodeCell.OperationShift);
            bool named = operation != Operation.Invalid && Enum.IsDefined(operation);
            bool structural = (cell & (ulong)(Traits.Prefix | Traits.Escape)) != 0;
            if (!named && !structural && cell != OpcodeCell.Invalid)
            {
                wrong.Add(path);
            }

            return;
        }

        SelectorKind kind = (SelectorKind)(cell >> OpcodeCell.SelectorKindShift & 0xFF);
        int count = kind switch
        {
            SelectorKind.Group => 16,
            SelectorKind.Rm => 8,
            _ => 2,
        };
        int first = (int)(cell >> OpcodeCell.SelectorIndexShift);
        if (depth > 4 || first + count > map.Children.Length)
        {
            wrong.Add(path);
            return;
        }

        for (int child = 0; child < count; child++)
        {
            reached.Add(first + child);
            Walk(map, map.Children[first + child], $"{path}/{child}", depth + 1, reached, wrong);
        }
    }
}
