// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using CodeSize = Vmm.Emulation.Instructions.Decoding.CodeSize;
using Decoder = Vmm.Emulation.Instructions.Decoding.Decoder;
using DecodeStatus = Vmm.Emulation.Instructions.Decoding.DecodeStatus;

namespace Vmm.Tests.Emulation.Instructions.Decoding;

/// <summary>LOCK is valid with the instructions that the manual lists, where their destination is in memory (volume 2, LOCK), and with nothing else.</summary>
public sealed class LockPrefixTests
{
    private static readonly HashSet<Mnemonic> s_lockable =
    [
        Mnemonic.Add, Mnemonic.Adc, Mnemonic.And, Mnemonic.Btc, Mnemonic.Btr, Mnemonic.Bts, Mnemonic.Cmpxchg, Mnemonic.Cmpxchg8b,
        Mnemonic.Cmpxchg16b, Mnemonic.Dec, Mnemonic.Inc, Mnemonic.Neg, Mnemonic.Not, Mnemonic.Or, Mnemonic.Sbb, Mnemonic.Sub, Mnemonic.Xor,
        Mnemonic.Xadd, Mnemonic.Xchg,
    ];

    private static readonly byte[][] s_maps = [[], [0x0F], [0x0F, 0x38], [0x0F, 0x3A]];
    private static readonly byte[][] s_prefixes = [[], [0x66], [0xF2], [0xF3], [0x48]];

    [Test]
    public void Every_cell_takes_the_prefix_as_the_list_says([Values] CodeSize mode)
    {
        List<string> wrong = [];
        HashSet<Mnemonic> seen = [];
        foreach (byte[] code in Encodings())
        {
            Instruction plain = Iced.Intel.Decoder.Create(16 << (int)mode, new ByteArrayCodeReader(code)).Decode();
            bool isLockable = !plain.IsInvalid && s_lockable.Contains(plain.Mnemonic) && plain.Op0Kind == OpKind.Memory;
            DecodeStatus status = Decoder.Decode((byte[])[0xF0, .. code[..14]], mode, out _);
            if (isLockable != (status == DecodeStatus.Decoded))
            {
                wrong.Add($"{Convert.ToHexString(code[..6])} {plain}: {status}");
            }

            if (isLockable)
            {
                seen.Add(plain.Mnemonic);
            }
        }

        wrong.Should().BeEmpty();
        seen.Should().BeEquivalentTo(mode == CodeSize.Bits64 ? s_lockable : s_lockable.Where(static one => one != Mnemonic.Cmpxchg16b));
    }

    /// <summary>Each opcode of each map with each digit, in registers and in memory.</summary>
    private static IEnumerable<byte[]> Encodings() =>
        from prefix in s_prefixes
        from map in s_maps
        from opcode in Enumerable.Range(0, 256)
        from modRm in Enumerable.Range(0, 16)
        let code = (byte[])[.. prefix, .. map, (byte)opcode, (byte)(modRm % 8 << 3 | (modRm < 8 ? 0x07 : 0xC1))]
        where !IsPrefix(map, opcode)
        select (byte[])[.. code, .. new byte[15 - code.Length]];

    /// <summary>Cells that are no opcodes: prefixes, and the ways to other maps.</summary>
    private static bool IsPrefix(byte[] map, int opcode) => map.Length switch
    {
        0 => opcode is 0x0F or 0x26 or 0x2E or 0x36 or 0x3E or (>= 0x40 and <= 0x4F) or (>= 0x62 and <= 0x67) or 0xC4 or 0xC5 or 0xF0 or 0xF2 or 0xF3,
        1 => opcode is 0x38 or 0x3A or 0x0F,
        _ => false,
    };
}
