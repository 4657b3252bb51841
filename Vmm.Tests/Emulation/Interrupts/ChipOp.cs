// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>What a scripted guest can do; the numbers index the guest program's jump table.</summary>
internal enum ChipOpCode : ushort
{
    End = 0,
    Host = 2,
    Out = 4,
    In = 6,
    ApicWrite = 8,
    ApicRead = 10,
    IoApicWrite = 12,
    IoApicRead = 14,

    /// <summary>Interrupts are enabled for a few instructions; at most one is taken.</summary>
    Window = 16,
    WriteMsr = 18,
    ReadMsr = 20,
}

/// <summary>One operation of a scripted guest.</summary>
internal readonly record struct ChipOp(ChipOpCode Code, ushort Argument = 0, uint Value = 0)
{
    private const uint MsiFlag = 0x8000_0000;
    private const uint AcceptFlag = 0x4000_0000;
    private const uint LevelFlag = 0x1_0000;

    /// <summary>The processor takes the vector that the local APIC offers, if any.</summary>
    public static ChipOp Accept => new(ChipOpCode.Host, 0, AcceptFlag);

    public bool IsAccept => Value == AcceptFlag;

    public bool IsMsi => (Value & MsiFlag) != 0;

    public ulong MsiAddress => 0xfee0_0000 | ((Value >> 12) & 0xff) << 12 | ((Value >> 11) & 1) << 2;

    public uint MsiData => Value & 0x7ff;

    public int Line => (int)(Value & 0xff);

    public bool Level => (Value & LevelFlag) != 0;

    public static ChipOp Out(ushort port, int value) => new(ChipOpCode.Out, port, (uint)value);

    public static ChipOp In(ushort port) => new(ChipOpCode.In, port);

    public static ChipOp SetLine(int line, bool level) => new(ChipOpCode.Host, 0, (uint)line | (level ? LevelFlag : 0));

    public static ChipOp Msi(uint vector, uint mode, bool logical, uint destination) =>
        new(ChipOpCode.Host, 0, MsiFlag | vector | (mode << 8) | (logical ? 0x800u : 0) | (destination << 12));

    public static ChipOp ApicWrite(int offset, uint value) => new(ChipOpCode.ApicWrite, (ushort)offset, value);

    public static ChipOp ApicRead(int offset) => new(ChipOpCode.ApicRead, (ushort)offset);

    public override string ToString() => Code == ChipOpCode.Host
        ? IsAccept ? "Accept" : IsMsi ? $"Msi {MsiAddress:x} {MsiData:x}" : $"Line {Line} {(Level ? "up" : "down")}"
        : $"{Code} {Argument:x} {Value:x}";
}
