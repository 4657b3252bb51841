// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>The local APIC beside KVM's: the same accesses and messages, the same values, vectors and registers.</summary>
/// <remarks>
/// What is left out because KVM's differs, with the SDM (volume 3, chapter "APIC") on each:
/// <list type="table">
/// <item><term>vectors below 16</term><description>KVM delivers them; the SDM makes them errors.</description></item>
/// <item><term>errors</term><description>KVM's error status is always zero.</description></item>
/// <item><term>level-triggered messages of processors and devices</term><description>KVM sets the trigger-mode bit; the SDM
/// sends them as edges, and so does bhyve for devices.</description></item>
/// <item><term>shorthands with modes they do not go with</term><description>KVM sends them, the SDM's table of valid
/// combinations leaves them out.</description></item>
/// <item><term>lowest priority to several logical ids</term><description>KVM chooses by the vector among all the bits, also those
/// of nobody, and may so lose the message: lowest priority is sent to physical ids and to all.</description></item>
/// <item><term>destination formats other than flat and cluster</term><description>Reserved; KVM takes them for the cluster
/// format.</description></item>
/// <item><term>remote read register</term><description>KVM does not have it and leaves the reader's register as it
/// was.</description></item>
/// <item><term>version and CMCI</term><description>KVM's has six local vectors unless machine checks are configured, ours
/// seven.</description></item>
/// <item><term>local interrupt 0 at power-up</term><description>KVM unmasks it in ExtINT mode as firmware would: it is written
/// first.</description></item>
/// <item><term>counting</term><description>KVM's timer runs on host time and survives software disable: it is not started.</description></item>
/// <item><term>a write of the xAPIC id</term><description>KVM takes it, here the id is fixed.</description></item>
/// </list>
/// </remarks>
[TestFixture]
[Category("Kvm")]
public sealed class LocalApicOracleTests
{
    private const int BatchSteps = 1000;
    private const ushort X2 = 0x800;

    private static readonly ushort[] s_readable =
    [
        0x20, 0x80, 0x90, 0xa0, 0xd0, 0xe0, 0xf0, 0x280, 0x300, 0x310, 0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x390,
        0x3e0,
    ];

    [Test]
    public void Random_accesses_in_xAPIC_mode_agree_with_KVM([Range(1, 5)] int seed) => Compare(seed, XApicStep, [], "apic");

    [Test]
    public void Random_accesses_in_x2APIC_mode_agree_with_KVM([Range(1, 5)] int seed) => Compare(seed, X2ApicStep, EnterX2Apic, "none");

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Hundred_thousand_random_accesses_agree_with_KVM()
    {
        for (int seed = 1000; seed < 1060; seed++)
        {
            Compare(seed, XApicStep, [], "apic");
            Compare(seed, X2ApicStep, EnterX2Apic, "none");
        }
    }

    private static ChipOp[] EnterX2Apic => [new(ChipOpCode.WriteMsr, 0x1b, 0xfee00d00)];

    private static void Compare(int seed, Func<Random, ChipOp[]> step, ChipOp[] prepare, string registers)
    {
        Random random = new(seed);
        List<ChipOp[]> steps = [[ChipOp.ApicWrite(0x350, 0x10000), ChipOp.ApicWrite(0xf0, 0x1ff), .. prepare]];
        while (steps.Count <= BatchSteps)
        {
            steps.Add(step(random));
        }

        ChipScript.ShouldAgree(steps, registers, $"local APIC, seed {seed}");
    }

    private static uint Vector(Random random) => (uint)random.Next(0x20, 0x100);

    // Valid commands only: fixed, with every shorthand; edges, with either assert bit.
    private static uint Command(Random random) =>
        Vector(random) | ((uint)random.Next(4) << 18) | ((uint)random.Next(2) << 11) | ((uint)random.Next(2) << 14);

    private static uint LocalVectorValue(Random random, int register) =>
        Vector(random) | ((uint)random.Next() & 0xf00) | ((uint)random.Next() & 0xfe01_f000 & ~(register == 0x320 ? 0x60000u : 0));

    private static ChipOp[] XApicStep(Random random)
    {
        switch (random.Next(100))
        {
            case < 15:
                return [ChipOp.ApicWrite(0x310, Destination(random)), ChipOp.ApicWrite(0x300, Command(random))];
            case < 30:
                return [Message(random)];
            case < 50:
                return [ChipOp.Accept];
            case < 62:
                return [ChipOp.ApicWrite(0xb0, 0)];
            case < 67:
                return [ChipOp.ApicWrite(0x80, (uint)random.Next()), ChipOp.ApicRead(0xa0)];
            case < 70:
                return [ChipOp.ApicWrite(0xd0, (uint)random.Next() & (uint)random.Next())];
            case < 72:
                return [ChipOp.ApicWrite(0xe0, random.Next(2) == 0 ? uint.MaxValue : (uint)random.Next(0x10000000))];
            case < 78:
                int local = 0x320 + (random.Next(6) * 0x10);
                return [ChipOp.ApicWrite(local, LocalVectorValue(random, local)), ChipOp.ApicRead(local)];
            case < 80:
                return [ChipOp.ApicWrite(0xf0, (uint)random.Next() | (random.Next(3) == 0 ? 0u : 0x100)), ChipOp.ApicRead(0xf0)];
            case < 82:
                return [ChipOp.ApicWrite(0x3e0, (uint)random.Next()), ChipOp.ApicWrite(0x280, (uint)random.Next())];
            case < 90:
                return [ChipOp.ApicRead(0x100 + (random.Next(24) * 0x10))];
            default:
                return [ChipOp.ApicRead(s_readable[random.Next(s_readable.Length)])];
        }
    }

    private static ChipOp[] X2ApicStep(Random random)
    {
        switch (random.Next(100))
        {
            case < 15:
                // The destination in EDX is zero: this processor's physical id, and no logical one.
                return [new(ChipOpCode.WriteMsr, X2 + 0x30, Command(random))];
            case < 22:
                return [new(ChipOpCode.WriteMsr, X2 + 0x3f, Vector(random))];
            case < 32:
                return [Message(random)];
            case < 50:
                return [ChipOp.Accept];
            case < 62:
                return [new(ChipOpCode.WriteMsr, X2 + 0x0b)];
            case < 67:
                return [new(ChipOpCode.WriteMsr, X2 + 0x08, (uint)random.Next(0x100)), new(ChipOpCode.ReadMsr, X2 + 0x0a)];
            case < 72:
                int local = 0x32 + random.Next(6);
                return [new(ChipOpCode.WriteMsr, (ushort)(X2 + local), LocalVectorValue(random, local << 4)), new(ChipOpCode.ReadMsr, (ushort)(X2 + local))];
            case < 74:
                return [new(ChipOpCode.WriteMsr, X2 + 0x0f, (uint)random.Next(0x200) | (random.Next(3) == 0 ? 0u : 0x100))];
            case < 76:
                // Neither back to xAPIC mode nor to an impossible one; reserved bits.
                uint[] refused = [0xfee00900, 0xfee00500, 0xfee00d01, 0xfee00f00];
                return [new(ChipOpCode.WriteMsr, 0x1b, refused[random.Next(refused.Length)]), new(ChipOpCode.ReadMsr, 0x1b)];
            case < 80:
                // Read-only, absent and write-only registers.
                ushort[] unwritable = [0x02, 0x03, 0x09, 0x0a, 0x0d, 0x0e, 0x31, 0x39, 0x10, 0x18, 0x20, 0x00, 0x3d, 0xff];
                return [new(ChipOpCode.WriteMsr, (ushort)(X2 + unwritable[random.Next(unwritable.Length)]), 0)];
            case < 84:
                ushort[] unreadable = [0x09, 0x0b, 0x0c, 0x0e, 0x31, 0x3f, 0x00, 0x3d, 0xff];
                return [new(ChipOpCode.ReadMsr, (ushort)(X2 + unreadable[random.Next(unreadable.Length)]))];
            case < 86:
                // Reserved bits of the command, and an error status that is not zero.
                return [new(ChipOpCode.WriteMsr, X2 + 0x30, 0x2040), new(ChipOpCode.WriteMsr, X2 + 0x28, 1), new(ChipOpCode.WriteMsr, X2 + 0x28, 0)];
            case < 93:
                return [new(ChipOpCode.ReadMsr, (ushort)(X2 + 0x10 + random.Next(24)))];
            default:
                ushort[] readable = [0x02, 0x08, 0x0a, 0x0d, 0x0f, 0x28, 0x30, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37, 0x38, 0x3e];
                return [new(ChipOpCode.ReadMsr, (ushort)(X2 + readable[random.Next(readable.Length)]))];
        }
    }

    private static ChipOp Message(Random random) => random.Next(4) == 0
        ? ChipOp.Msi(Vector(random), 1, logical: false, random.Next(2) == 0 ? 0u : 0xffu)
        : ChipOp.Msi(Vector(random), 0, random.Next(2) == 0, Destination(random) >> 24);

    private static uint Destination(Random random) => random.Next(4) switch
    {
        0 => 0,
        1 => 0xff000000,
        _ => (uint)random.Next(256) << 24,
    };
}
