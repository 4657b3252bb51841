// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Engine.SecondChance;

/// <summary>Counts second chances by instruction, and logs each instruction once. Any thread.</summary>
internal sealed class SecondChanceLog(VirtualMachine machine)
{
    private long[]? _counts;

    /// <summary>Counts one.</summary>
    public void Count(in Instruction instruction, ReadOnlySpan<byte> bytes, ulong rip)
    {
        long[] counts = _counts ?? Interlocked.CompareExchange(ref _counts, new long[Instruction.Mnemonics], null) ?? _counts!;
        if (Interlocked.Increment(ref counts[instruction.MnemonicNumber]) == 1)
        {
            EngineLog.SecondChance(machine.Log, machine.Name, instruction.Mnemonic, bytes, rip);
        }
    }

    /// <summary>The counts by mnemonic, the most frequent first.</summary>
    public IReadOnlyList<KeyValuePair<string, long>> Read()
    {
        if (Volatile.Read(ref _counts) is not { } counts)
        {
            return [];
        }

        List<KeyValuePair<string, long>> result = [];
        for (int i = 0; i < counts.Length; i++)
        {
            if (Volatile.Read(ref counts[i]) is > 0 and long count)
            {
                result.Add(new(Instruction.MnemonicOf(i), count));
            }
        }

        result.Sort((left, right) => right.Value.CompareTo(left.Value));
        return result;
    }
}
