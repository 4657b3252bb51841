// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;
using Vmm.Kvm.Interop;
using Vmm.Tests.Kvm.Interop;

namespace Vmm.Tests.Emulation.Timers;

/// <summary>
/// The 8254 against the one inside KVM: a small guest makes the same random accesses, and what does not depend on the time of
/// the host is compared: modes, counts, latches, and which byte comes next.
/// </summary>
/// <remarks>
/// Accepted differences, where the data sheet decides against KVM: KVM keeps latches when a counter is programmed anew
/// (the data sheet drops them, so programs read them first); its status byte shows modes 6 and 7 as 2 and 3 (the data sheet
/// shows the control word as written) and never a null count; it counts decimal as binary.
/// </remarks>
[TestFixture]
public sealed class AtPitKvmOracleTests : KvmFixture
{
    private const ulong ProgramAddress = 0x9000;
    private const ulong ResultAddress = 0xc000;

    // Entries of three bytes at SI: 1 out or 2 in, port, value; 0 ends. What is read goes to DI.
    private static readonly byte[] s_guest =
    [
        0xbe, 0x00, 0x90, // mov si, 0x9000
        0xbf, 0x00, 0xc0, // mov di, 0xc000
        0xac,             // next: lodsb
        0x84, 0xc0,       // test al, al
        0x74, 0x14,       // jz end
        0x88, 0xc1,       // mov cl, al
        0xac,             // lodsb
        0x88, 0xc2,       // mov dl, al
        0xb6, 0x00,       // mov dh, 0
        0xac,             // lodsb
        0x80, 0xf9, 0x01, // cmp cl, 1
        0x74, 0x04,       // je write
        0xec,             // in al, dx
        0xaa,             // stosb
        0xeb, 0xea,       // jmp next
        0xee,             // write: out dx, al
        0xeb, 0xe7,       // jmp next
        0xba, 0x00, 0x05, // end: mov dx, 0x500
        0xee,             // out dx, al
    ];

    [Test]
    public void Random_accesses_leave_the_state_that_KVM_has([Range(1, 4)] int seed) => Compare(seed, 40);

    [Test]
    [Explicit("takes minutes")]
    [Category("Long")]
    public void Long_random_accesses_leave_the_state_that_KVM_has([Range(100, 109)] int seed) => Compare(seed, 500);

    private protected override void PrepareVm()
    {
        Vm.CreateIrqchip();
        Vm.CreatePit2(KvmPitConfigFlags.SpeakerDummy);
    }

    private void Compare(int seed, int programs)
    {
        var random = new Random(seed);
        var clock = new ManualClock();
        var chip = new AtPit(clock, clock.Deadlines, new TimedLine(clock));
        for (int round = 0; round < programs; round++)
        {
            var program = new List<byte>();
            var expected = new List<(byte Value, byte Mask)>();
            for (int step = 0; step < 25; step++)
            {
                // The first rounds program every counter, as KVM's state before that has no mode.
                Add(random, chip, round == 0 && step < 9 ? step : -1, program, expected);
                clock.Advance(2000);
            }

            RunInGuest(program);
            byte[] results = Memory.Slice(ResultAddress, expected.Count).ToArray();
            results.Zip(expected, (result, want) => (byte)(result & want.Mask)).Should().Equal(
                expected.Select(want => (byte)(want.Value & want.Mask)), "program {0} of seed {1} reads them", round, seed);
            CompareState(chip.Save(), $"program {round} of seed {seed}: {Convert.ToHexString([.. program])}");
        }
    }

    private static void Add(Random random, AtPit chip, int first, List<byte> program, List<(byte Value, byte Mask)> expected)
    {
        int index = first >= 0 ? first / 3 : random.Next(3);
        byte port = (byte)(0x40 + index);
        byte value = (byte)random.Next(256);
        PitCounterState counter = Counter(chip.Save(), index);
        int kind = first >= 0 ? (first % 3 == 0 ? 0 : 1) : random.Next(8);
        bool latched = counter.CountLatched || counter.StatusLatched;
        switch (kind)
        {
            case 0 when !latched:
                Write(chip, program, 0x43, (byte)((index << 6) | (first >= 0 ? 0x30 : random.Next(0x10, 0x40))));
                break;
            case 1 or 2:
                Write(chip, program, port, value);
                break;
            case 3:
                Write(chip, program, 0x43, (byte)(index << 6));
                break;
            case 4:
                Write(chip, program, 0x43, (byte)(0xc0 | random.Next(0x40)));
                break;
            case 5:
                Write(chip, program, 0x61, value);
                break;
            default:
                program.AddRange([2, port, 0]);
                chip.Read(port, 1, out uint read);
                expected.Add(((byte)read, counter.StatusLatched ? (byte)((counter.Control & 0x0c) == 0x0c ? 0x37 : 0x3f) : (byte)0));
                break;
        }
    }

    private static void Write(AtPit chip, List<byte> program, byte port, byte value)
    {
        program.AddRange([1, port, value]);
        chip.Write(port, 1, value);
    }

    private static PitCounterState Counter(AtPitState state, int index) =>
        index switch { 0 => state.Counter0, 1 => state.Counter1, _ => state.Counter2 };

    private void RunInGuest(List<byte> program)
    {
        program.Add(0);
        program.ToArray().CopyTo(Memory.Slice(ProgramAddress, program.Count));
        Load(s_guest);
        KvmExitReason reason = Run();
        while (reason == KvmExitReason.Intr)
        {
            reason = Run();
        }

        reason.Should().Be(KvmExitReason.Io, "the guest ends by writing a port that nobody has");
    }

    private void CompareState(AtPitState state, string program)
    {
        KvmPitState2 theirs = Vm.GetPit2();
        for (int index = 0; index < 3; index++)
        {
            KvmPitChannelState channel = theirs.Channels[index];
            PitCounterState counter = Counter(state, index);
            int access = counter.Control >> 4;
            int mode = (counter.Control >> 1) & 7;
            var ours = new
            {
                Mode = mode > 5 ? mode - 4 : mode,
                Bcd = counter.Control & 1,
                Access = access,
                Read = access == 3 && counter.ReadHigh ? 4 : access,
                Write = access == 3 && counter.WriteHigh ? 4 : access,
                Latched = !counter.CountLatched ? 0 : access == 3 && counter.LatchHigh ? 2 : access,
                Status = counter.StatusLatched,
                Gate = counter.Gate,
                Count = !counter.CountWritten ? 0 : counter.CountRegister == 0 ? 0x10000u : counter.CountRegister,
            };
            var kvm = new
            {
                Mode = (int)channel.Mode,
                Bcd = (int)channel.Bcd,
                Access = (int)channel.RwMode,
                Read = (int)channel.ReadState,
                Write = (int)channel.WriteState,
                Latched = (int)channel.CountLatched,
                Status = channel.StatusLatched != 0,
                Gate = channel.Gate != 0,
                Count = counter.CountWritten ? channel.Count : 0,
            };
            ours.Should().Be(kvm, "counter {0} after {1}", index, program);
        }
    }
}
