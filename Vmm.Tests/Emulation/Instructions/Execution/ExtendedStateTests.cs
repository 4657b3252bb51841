// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>FXSAVE and the XSAVE family on every component of the flat CPU: x87, SSE, AVX, the three of AVX-512, PKRU.</summary>
public sealed class ExtendedStateTests
{
    private const int Area = 0x4_0000;
    private const ulong AllComponents = 0x2E7;

    // Place and size of each component in the standard format.
    private static readonly (int Offset, int Size)[] s_components = [(32, 128), (160, 256), (576, 256), (1088, 64), (1152, 512), (1664, 1024)];

    // XMM8, YMM8, ZMM8 and ZMM16 and above.
    private static readonly (int Offset, int Size)[] s_beyond = [(288, 128), (704, 128), (1408, 256), (1664, 1024)];

    [TestCase(new byte[] { 0x48, 0x0F, 0xAE, 0x26 }, new byte[] { 0x48, 0x0F, 0xAE, 0x2E }, TestName = "XSAVE_XRSTOR")]
    [TestCase(new byte[] { 0x48, 0x0F, 0xAE, 0x36 }, new byte[] { 0x48, 0x0F, 0xAE, 0x2E }, TestName = "XSAVEOPT_XRSTOR")]
    [TestCase(new byte[] { 0x48, 0x0F, 0xC7, 0x26 }, new byte[] { 0x48, 0x0F, 0xAE, 0x2E }, TestName = "XSAVEC_XRSTOR")]
    [TestCase(new byte[] { 0x48, 0x0F, 0xC7, 0x2E }, new byte[] { 0x48, 0x0F, 0xC7, 0x1E }, TestName = "XSAVES_XRSTORS")]
    public void Every_component_survives_save_and_restore(byte[] save, byte[] restore)
    {
        FlatMachine machine = Create();
        byte[] before = Fill(machine);
        machine.Load([.. save, .. restore]);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        Clear(machine);
        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        foreach ((int offset, int size) in s_components)
        {
            machine.State.Extended.Image.Slice(offset, size).ToArray().Should().Equal(before[offset..(offset + size)]);
        }

        machine.State.Pkru.Should().Be(0x5555_5554);
        machine.State.Extended.MxcsrValue.Should().Be(0x1FA0);
    }

    [Test]
    public void Xrstor_of_an_absent_component_initialises_it()
    {
        FlatMachine machine = Create();
        Fill(machine);
        machine.Load(0x48, 0x0F, 0xAE, 0x2E);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        machine.State.Extended.Image.Slice(576, 256).ToArray().Should().OnlyContain(static b => b == 0);
        machine.State.Extended.Image.Slice(1664, 1024).ToArray().Should().OnlyContain(static b => b == 0);
        machine.State.Pkru.Should().Be(0);
    }

    [Test]
    public void Xsave_writes_only_what_is_asked_for()
    {
        FlatMachine machine = Create();
        Fill(machine);
        machine.State.General[0] = 4;
        machine.Memory.Slice(Area, 4096).Fill(0xEE);
        machine.Write64(Area + 512, 0x201);
        machine.Load(0x48, 0x0F, 0xAE, 0x26);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        (machine.Memory[Area], machine.Memory[Area + 160], machine.Memory[Area + 576]).Should().Be(((byte)0xEE, (byte)0xEE, machine.State.Extended.Image[576]));
        machine.Read64(Area + 512).Should().Be(0x205);
    }

    /// <summary>The area is a device's, which sees each write: bytes 464 to 511 and the rest of the header are somebody else's.</summary>
    [TestCase(new byte[] { 0x48, 0x0F, 0xAE, 0x26 }, 520, TestName = "Xsave_does_not_touch_what_is_not_its_own")]
    [TestCase(new byte[] { 0x48, 0x0F, 0xAE, 0x36 }, 520, TestName = "Xsaveopt_does_not_touch_what_is_not_its_own")]
    [TestCase(new byte[] { 0x48, 0x0F, 0xC7, 0x26 }, 528, TestName = "Xsavec_does_not_touch_what_is_not_its_own")]
    public void Save_does_not_touch_what_is_not_its_own(byte[] save, int headerEnd)
    {
        const ulong Device = 0x18_0000;
        FlatMachine machine = Create();
        Fill(machine);
        machine.State.General[0] = 3;
        machine.State.General[6] = Device;
        machine.Load(save);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        machine.DeviceWrites.Should().NotBeEmpty().And.OnlyContain(
            write => write.Address < Device + 416 || write.Address >= Device + 512 && write.Address < Device + (ulong)headerEnd);
    }

    [Test]
    public void Xgetbv_of_the_components_in_use_says_what_xsavec_would_save()
    {
        // mov ecx, 1; xgetbv
        FlatMachine machine = Create();
        machine.Load(0xB9, 1, 0, 0, 0, 0x0F, 0x01, 0xD0, 0xB9, 1, 0, 0, 0, 0x0F, 0x01, 0xD0);
        machine.State.Pkru = 0;
        machine.Run(2);
        machine.State.General[0].Should().Be(1, "x87 always counts as in use");
        machine.State.Extended.Image[576] = 1;

        machine.Run(2);

        machine.State.General[0].Should().Be(5);
    }

    [TestCase(512, 1UL << 62, TestName = "Component_that_XCR0_lacks")]
    [TestCase(520, 1UL, TestName = "XCOMP_BV_without_the_compaction_bit")]
    [TestCase(24, 1UL << 16, TestName = "Reserved_bit_of_MXCSR")]
    public void Xrstor_refuses_a_bad_area(int offset, ulong value)
    {
        FlatMachine machine = Create();
        machine.Write64(Area + offset, value);
        machine.Load(0x48, 0x0F, 0xAE, 0x2E);

        machine.Step().Should().Be(new ExecutionResult(ExecutionStatus.Fault, 13, true, 0));
    }

    [TestCase((byte)0x2E, TestName = "XSAVES_of_shadow_stacks")]
    [TestCase((byte)0x1E, TestName = "XRSTORS_of_shadow_stacks")]
    public void Supervisor_components_are_refused_by_name(byte modRm)
    {
        FlatMachine machine = Create();
        machine.State.Xss = 0x1800;
        machine.Write64(Area + 520, 1UL << 63);
        machine.Load(0x48, 0x0F, 0xC7, modRm);

        machine.Step().Status.Should().Be(ExecutionStatus.NotExecutable);
        machine.State.Refusal.Should().Be(ExecutionRefusal.SupervisorState);
        machine.State.General[6].Should().Be(Area);
    }

    [Test]
    public void Xsave_needs_alignment_to_64_bytes()
    {
        FlatMachine machine = Create();
        machine.State.General[6] += 32;
        machine.Load(0x48, 0x0F, 0xAE, 0x26);

        machine.Step().Vector.Should().Be(13);
    }

    [Test]
    public void Fxsave_and_fxrstor_carry_x87_and_SSE()
    {
        FlatMachine machine = Create();
        byte[] before = Fill(machine);
        machine.Load(0x48, 0x0F, 0xAE, 0x06, 0x48, 0x0F, 0xAE, 0x0E);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);
        Clear(machine);
        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        machine.State.Extended.Image.Slice(32, 384).ToArray().Should().Equal(before[32..416]);
    }

    [TestCase(0x8ul, (byte)7, TestName = "TS_is_device_not_available")]
    [TestCase(0x4ul, (byte)6, TestName = "EM_is_undefined")]
    public void Sse_moves_obey_CR0(ulong bit, byte vector)
    {
        FlatMachine machine = Create();
        machine.State.Cr0 |= bit;
        machine.Load(0x0F, 0x10, 0x06);

        machine.Step().Vector.Should().Be(vector);
    }

    [Test]
    public void Avx_needs_XCR0()
    {
        FlatMachine machine = Create();
        machine.State.Xcr0 = 3;
        machine.Load(0xC5, 0xF8, 0x10, 0x06);

        machine.Step().Vector.Should().Be(6);
    }

    [Test]
    public void Xsetbv_refuses_AVX_without_SSE()
    {
        FlatMachine machine = Create();
        machine.State.General[0] = 5;
        machine.Load(0x0F, 0x01, 0xD1);

        machine.Step().Vector.Should().Be(13);
        machine.State.Xcr0.Should().Be(AllComponents);
    }

    /// <summary>Registers 8 and above of SSE, AVX and AVX-512 are out of reach (volume 1, chapter 13).</summary>
    [Test]
    public void Upper_registers_are_neither_saved_nor_restored_outside_64_bit_mode()
    {
        FlatMachine machine = Create();
        byte[] before = Fill(machine);
        machine.Memory.Slice(Area, 0x1000).Fill(0xEE);
        machine.Write64(Area + 512, 0);
        machine.State.Segments[(int)SegmentName.Cs].Access = 0xC09B;

        // xsave [esi]; then xrstor [esi] of nothing but initial states
        machine.Load(0x0F, 0xAE, 0x26, 0x0F, 0xAE, 0x2E);
        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        Span<byte> area = machine.Memory.Slice(Area, 0x1000);
        area.Slice(576, 128).SequenceEqual(before.AsSpan(576, 128)).Should().BeTrue("YMM0 to YMM7 are saved");
        area.Slice(1152, 256).SequenceEqual(before.AsSpan(1152, 256)).Should().BeTrue("and so are ZMM0 to ZMM7");
        foreach ((int offset, int size) in s_beyond)
        {
            area.Slice(offset, size).IndexOfAnyExcept((byte)0xEE).Should().Be(-1, $"nothing is written at {offset}");
        }

        area.Clear();
        BitConverter.TryWriteBytes(area[24..], 0x1F80);
        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        Span<byte> image = machine.State.Extended.Image;
        image.Slice(576, 128).ContainsAnyExcept((byte)0).Should().BeFalse("YMM0 to YMM7 are initial");
        foreach ((int offset, int size) in s_beyond)
        {
            machine.State.Extended.Image.Slice(offset, size).SequenceEqual(before.AsSpan(offset, size)).Should().BeTrue($"what is at {offset} stays");
        }
    }

    [Test]
    public void Area_with_its_components_has_to_lie_within_the_segment()
    {
        FlatMachine machine = Create();
        machine.State.Segments[(int)SegmentName.Cs].Access = 0xC09B;
        machine.State.Segments[(int)SegmentName.Ds].Limit = Area + 700;
        machine.Load(0x0F, 0xAE, 0x26, 0x0F, 0xAE, 0x26);
        machine.State.General[0] = 3;
        machine.Step().Status.Should().Be(ExecutionStatus.Completed, "without AVX it ends in front of the limit");

        machine.State.General[0] = 7;
        ExecutionResult result = machine.Step();

        (result.Status, result.Vector, result.ErrorCode).Should().Be((ExecutionStatus.Fault, (byte)13, 0u));
    }

    [Test]
    public void Initial_state_of_a_component_fills_all_of_it()
    {
        const int Offset = 4096;
        const int Size = 8192;
        FlatMachine machine = Create();
        machine.Layout = (18, new CpuidResult(Size, Offset, 0, 0));
        machine.State.Xcr0 |= 1 << 18;
        machine.State.Extended.Image.Slice(Offset, Size).Fill(0x5A);
        machine.State.General[0] = 1 << 18;
        machine.State.General[2] = 0;
        machine.Load(0x48, 0x0F, 0xAE, 0x2E);

        machine.Step().Status.Should().Be(ExecutionStatus.Completed);

        machine.State.Extended.Image.Slice(Offset, Size).ContainsAnyExcept((byte)0).Should().BeFalse();
    }

    private static FlatMachine Create()
    {
        FlatMachine machine = FlatMachine.Long();
        machine.State.Cr4 |= 1 << 22;
        machine.State.General[0] = 0xFFFF_FFFF;
        machine.State.General[2] = 0xFFFF_FFFF;
        machine.State.General[6] = Area;
        return machine;
    }

    private static byte[] Fill(FlatMachine machine)
    {
        Random random = new(11);
        foreach ((int offset, int size) in s_components)
        {
            random.NextBytes(machine.State.Extended.Image.Slice(offset, size));
        }

        machine.State.Extended.MxcsrValue = 0x1FA0;
        machine.State.Pkru = 0x5555_5554;
        return machine.State.Extended.Image.ToArray();
    }

    private static void Clear(FlatMachine machine)
    {
        foreach ((int offset, int size) in s_components)
        {
            machine.State.Extended.Image.Slice(offset, size).Clear();
        }

        machine.State.Extended.MxcsrValue = 0x1F80;
        machine.State.Pkru = 0;
    }
}
