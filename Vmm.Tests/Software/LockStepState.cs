// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Registers;

namespace Vmm.Tests.Software;

/// <summary>
/// What is compared beside the general registers: segment registers, tables, control registers, and the x87, MMX and SSE state.
/// </summary>
internal sealed class LockStepState
{
    private const int XstateBv = 512;
    private const int Mxcsr = 24;
    private const int St0 = 32;
    private const int Xmm0 = 160;

    private static readonly RegisterName[] s_segments =
        [RegisterName.Cs, RegisterName.Ss, RegisterName.Ds, RegisterName.Es, RegisterName.Fs, RegisterName.Gs, RegisterName.Tr, RegisterName.Ldtr];

    private static readonly RegisterName[] s_plain = [RegisterName.Cr0, RegisterName.Cr2, RegisterName.Cr3, RegisterName.Cr4, RegisterName.Efer];

    private readonly List<(string Name, ulong Value)> _values = new(120);

    public LockStepState(IBackendVcpu cpu)
    {
        foreach (RegisterName segment in s_segments)
        {
            AddSegment(cpu, segment);
        }

        foreach (RegisterName table in (ReadOnlySpan<RegisterName>)[RegisterName.Gdtr, RegisterName.Idtr])
        {
            SegmentDescriptor descriptor = cpu.GetSegmentDescriptor(table);
            Add($"{table} base", descriptor.Base);
            Add($"{table} limit", descriptor.Limit);
        }

        foreach (RegisterName register in s_plain)
        {
            Add($"{register}", cpu.GetRegister(register));
        }

        AddFpu(cpu);
    }

    /// <summary>Whether all that is compared is equal.</summary>
    public bool Matches(LockStepState other) => _values.SequenceEqual(other._values);

    /// <summary>What is different, with both values.</summary>
    public IEnumerable<(string Name, ulong Left, ulong Right)> Differences(LockStepState other) =>
        _values.Zip(other._values, (left, right) => (left.Name, left.Value, right.Value)).Where(pair => pair.Item2 != pair.Item3);

    private void Add(string name, ulong value) => _values.Add((name, value));

    private void AddSegment(IBackendVcpu cpu, RegisterName segment)
    {
        SegmentDescriptor descriptor = cpu.GetSegmentDescriptor(segment);
        Add($"{segment}", cpu.GetRegister(segment));
        Add($"{segment} base", descriptor.Base);
        Add($"{segment} limit", descriptor.Limit);
        Add($"{segment} access", descriptor.Access.Value);
    }

    /// <summary>
    /// The legacy part of the image: control, status and tag words, MXCSR, and the registers. The pointers of the last x87 instruction are left
    /// out: processors differ in when they store them.
    /// </summary>
    private void AddFpu(IBackendVcpu cpu)
    {
        byte[] image = new byte[16384];
        cpu.GetFpu(image);

        // A component whose bit is clear is in its initial state, whatever the bytes are.
        ulong present = BinaryPrimitives.ReadUInt64LittleEndian(image.AsSpan(XstateBv));
        bool hasX87 = (present & 1) != 0;
        bool hasSse = (present & 2) != 0;
        Add("FCW", hasX87 ? BinaryPrimitives.ReadUInt16LittleEndian(image) : 0x37fu);
        Add("FSW", hasX87 ? BinaryPrimitives.ReadUInt16LittleEndian(image.AsSpan(2)) : 0u);
        Add("FTW", hasX87 ? image[4] : 0u);
        Add("MXCSR", hasSse ? BinaryPrimitives.ReadUInt32LittleEndian(image.AsSpan(Mxcsr)) : 0x1f80u);
        for (int number = 0; number < 8; number++)
        {
            int at = St0 + (number * 16);
            Add($"ST{number}", hasX87 ? BinaryPrimitives.ReadUInt64LittleEndian(image.AsSpan(at)) : 0);
            Add($"ST{number} exponent", hasX87 ? BinaryPrimitives.ReadUInt16LittleEndian(image.AsSpan(at + 8)) : 0u);
        }

        for (int half = 0; half < 32; half++)
        {
            Add(
                $"XMM{half / 2}{(half % 2 == 0 ? "" : " high")}",
                hasSse ? BinaryPrimitives.ReadUInt64LittleEndian(image.AsSpan(Xmm0 + (half * 8))) : 0);
        }
    }
}
