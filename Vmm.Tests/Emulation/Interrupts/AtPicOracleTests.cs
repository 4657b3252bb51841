// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>The 8259 pair beside KVM's: the same random accesses and line changes, the same bytes, vectors and registers.</summary>
/// <remarks>
/// What is left out because KVM's differs, with the 8259A data sheet (Intel 231468) on each:
/// <list type="table">
/// <item><term>poll</term><description>KVM does not set the in-service bit and drops even a level request; the sheet's poll
/// "is treated like an interrupt acknowledge". Nothing pending reads 7 there and 0 here.</description></item>
/// <item><term>special mask mode</term><description>KVM keeps the bit and ignores it.</description></item>
/// <item><term>special fully nested mode</term><description>With the slave in service KVM also lets lower levels of the master
/// through; the sheet frees the slave's level only.</description></item>
/// <item><term>trigger mode of a high line</term><description>KVM's request register follows only at the next line
/// change; the sheet's level-triggered request is the line itself. Lines are lowered first.</description></item>
/// <item><term>the first chip initialized alone while the second requests</term><description>KVM lets the request through at
/// its next change of any kind; the sheet's edge detector waits for the slave's output to rise again. Both are initialized
/// together.</description></item>
/// <item><term>what is in service or requested at ICW1</term><description>KVM ends the edge-triggered requests that are both
/// and leaves INTR high until its next change; the sheet ends nothing and INTR follows at once. All is ended first, and a mask is
/// written afterwards.</description></item>
/// <item><term>a device on the first chip's pin 2</term><description>It shares KVM's edge detector with the second chip. No PC
/// has one.</description></item>
/// <item><term>between ICW1 and ICW4</term><description>KVM obeys operation commands and latches requests; here only a
/// ready chip does. None are sent.</description></item>
/// <item><term>a single chip, no ICW4, MCS-80 mode</term><description>No PC has them; refused here.</description></item>
/// </list>
/// </remarks>
[TestFixture]
[Category("Kvm")]
public sealed class AtPicOracleTests
{
    private const int BatchSteps = 1000;

    [Test]
    public void Random_accesses_agree_with_KVM([Range(1, 6)] int seed) => Compare(seed);

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Hundred_thousand_random_accesses_agree_with_KVM()
    {
        for (int seed = 1000; seed < 1120; seed++)
        {
            Compare(seed);
        }
    }

    private static void Compare(int seed)
    {
        Random random = new(seed);
        List<ChipOp[]> steps = [Initialize(random)];
        while (steps.Count <= BatchSteps)
        {
            steps.Add(Step(random));
        }

        ChipScript.ShouldAgree(steps, "pic", $"8259 pair, seed {seed}");
    }

    private static ChipOp[] Step(Random random)
    {
        ushort chip = random.Next(2) == 0 ? (ushort)0x20 : (ushort)0xa0;
        switch (random.Next(100))
        {
            case < 2:
                return Initialize(random);
            case < 40:
                int irq = random.Next(15);
                return [ChipOp.SetLine(KvmChips.FirstPicLine + (irq >= 2 ? irq + 1 : irq), random.Next(5) < 3)];
            case < 62:
                return [new(ChipOpCode.Window)];
            case < 70:
                return [ChipOp.Out((ushort)(chip + 1), random.Next(256) & random.Next(256))];
            case < 82:
                // OCW2: every command with every level.
                return [ChipOp.Out(chip, (random.Next(8) << 5) | random.Next(8))];
            case < 86:
                return [ChipOp.Out(0x20, 0x20), ChipOp.Out(0xa0, 0x20)];
            case < 90:
                // OCW3: which register is read.
                return [ChipOp.Out(chip, 0x08 | random.Next(4)), ChipOp.In(chip)];
            case < 93:
                return [ChipOp.In((ushort)(0x4d0 + random.Next(2)))];
            default:
                return [ChipOp.In((ushort)(chip + random.Next(2)))];
        }
    }

    private static ChipOp[] Initialize(Random random)
    {
        int autoEoi = random.Next(3) == 0 ? 2 : 0;
        return
        [
            .. Enumerable.Range(KvmChips.FirstPicLine, 16).Select(line => ChipOp.SetLine(line, false)),
            .. Enumerable.Range(0, 8).SelectMany(pin => (ChipOp[])[ChipOp.Out(0xa0, 0x60 | pin), ChipOp.Out(0x20, 0x60 | pin)]),
            ChipOp.Out(0x20, 0x11), ChipOp.Out(0x21, random.Next(4, 16) << 3), ChipOp.Out(0x21, 4), ChipOp.Out(0x21, 1 | autoEoi),
            ChipOp.Out(0xa0, 0x11), ChipOp.Out(0xa1, random.Next(16, 32) << 3), ChipOp.Out(0xa1, 2),
            ChipOp.Out(0xa1, 1 | (random.Next(4) == 0 ? 2 : 0)),
            ChipOp.Out(0x4d0, random.Next(256) & random.Next(256)), ChipOp.Out(0x4d1, random.Next(256) & random.Next(256)),
            ChipOp.Out(0x21, 0), ChipOp.Out(0xa1, 0),
        ];
    }
}
