// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Chips;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.State;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>State by class, whoever has the chips: what is refused, and that what is read can be put back.</summary>
public abstract class DataConformance : EngineConformance
{
    private const uint Efer = 0xc000_0080;
    private const uint LongStar = 0xc000_0082;
    private const uint TimeStampCounter = 0x10;
    private const uint MtrrCapabilities = 0xfe;
    private const uint TscBootOffset = 1;
    private const uint BootTime = 2;
    private const uint TscFrequency = 3;

    [SetUp]
    public void CreateMachineWithChips() =>
        Recreate(new VirtualMachineOptions { Name = "data", MaxCpus = 2, PlatformChips = true });

    [Test]
    public void Versions_list_every_class_and_cannot_be_written()
    {
        Machine.ReadVersions().Should().Equal(VmmDataVersionEntry.All);
        Machine.Read(VmmDataClass.Version, null, new byte[79]).Should().Be(new VmmDataResult(VmmError.ENOSPC, 80));
        Machine.Write(VmmDataClass.Version, null, new byte[80]).Error.Should().Be(VmmError.EPERM);
    }

    [TestCase(VmmDataClass.LocalApic, 0, 200)]
    [TestCase(VmmDataClass.LocalApic, 1, 200)]
    [TestCase(VmmDataClass.IoApic, null, 392)]
    [TestCase(VmmDataClass.AtPit, null, 72)]
    [TestCase(VmmDataClass.AtPic, null, 80)]
    [TestCase(VmmDataClass.Hpet, null, 288)]
    [TestCase(VmmDataClass.PmTimer, null, 16)]
    [TestCase(VmmDataClass.Rtc, null, 160)]
    public void Buffer_is_long_enough_or_refused_with_the_length_it_needs(VmmDataClass dataClass, int? cpu, int length)
    {
        byte[] data = new byte[length];
        VmmDataResult whole = new(VmmError.None, (uint)length);
        VmmDataResult refused = new(VmmError.ENOSPC, (uint)length);

        Machine.Read(dataClass, cpu, data).Should().Be(whole);
        Machine.Read(dataClass, cpu, data.AsSpan(1)).Should().Be(refused);
        Machine.Read(dataClass, cpu, new byte[length + 1]).Should().Be(whole);
        Machine.Write(dataClass, cpu, data).Should().Be(whole);
        Machine.Write(dataClass, cpu, data.AsSpan(1)).Should().Be(refused);
        Machine.Write(dataClass, cpu, (byte[])[.. data, 0x5a]).Should().Be(whole);
    }

    [TestCase(VmmDataClass.LocalApic, 0)]
    [TestCase(VmmDataClass.IoApic, null)]
    [TestCase(VmmDataClass.AtPic, null)]
    [TestCase(VmmDataClass.Hpet, null)]
    [TestCase(VmmDataClass.PmTimer, null)]
    [TestCase(VmmDataClass.Rtc, null)]
    [TestCase(VmmDataClass.Msr, 1)]
    [TestCase(VmmDataClass.VmmArch, 0)]
    public void What_was_read_can_be_put_back_and_reads_the_same(VmmDataClass dataClass, int? cpu)
    {
        Pause();
        byte[] before = Machine.ReadAll(dataClass, cpu);

        Machine.Write(dataClass, cpu, (byte[])[.. before]).Should().Be(new VmmDataResult(VmmError.None, (uint)before.Length));

        Machine.ReadAll(dataClass, cpu).Should().Equal(before);
    }

    [TestCase(VmmDataClass.Msr)]
    [TestCase(VmmDataClass.LocalApic)]
    [TestCase(VmmDataClass.Register)]
    [TestCase(VmmDataClass.Fpu)]
    [TestCase(VmmDataClass.None)]
    [TestCase((VmmDataClass)13)]
    public void Class_that_does_not_belong_to_the_VM_is_EINVAL(VmmDataClass dataClass)
    {
        Machine.Read(dataClass, null, new byte[8192]).Should().Be(new VmmDataResult(VmmError.EINVAL, 0));
        Machine.Write(dataClass, null, new byte[8192]).Should().Be(new VmmDataResult(VmmError.EINVAL, 0));
    }

    [TestCase(VmmDataClass.Version)]
    [TestCase(VmmDataClass.IoApic)]
    [TestCase(VmmDataClass.Rtc)]
    [TestCase(VmmDataClass.Register)]
    [TestCase(VmmDataClass.Fpu)]
    public void Class_that_does_not_belong_to_a_vCPU_is_EINVAL(VmmDataClass dataClass)
    {
        Machine.Read(dataClass, 0, new byte[8192]).Error.Should().Be(VmmError.EINVAL);
        Machine.Write(dataClass, 0, new byte[8192]).Error.Should().Be(VmmError.EINVAL);
    }

    [TestCase(-1)]
    [TestCase(2)]
    [TestCase(int.MaxValue)]
    [TestCase(int.MinValue)]
    public void Class_of_a_vCPU_wants_one_that_there_is(int cpu)
    {
        Machine.Read(VmmDataClass.Msr, cpu, new byte[8192]).Error.Should().Be(VmmError.EINVAL);
        Machine.Write(VmmDataClass.LocalApic, cpu, new byte[8192]).Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Other_versions_and_flags_are_EINVAL_before_the_length_is_looked_at()
    {
        Machine.Read(VmmDataClass.Rtc, null, [], version: 0).Error.Should().Be(VmmError.EINVAL);
        Machine.Read(VmmDataClass.Rtc, null, [], version: 2).Error.Should().Be(VmmError.EINVAL);
        Machine.Write(VmmDataClass.Rtc, null, [], (VmmDataFlags)4).Error.Should().Be(VmmError.EINVAL);
        Machine.Read(VmmDataClass.LocalApic, 0, [], (VmmDataFlags)(-1)).Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Chips_are_those_that_the_accessors_reach()
    {
        const int Pin = 20;
        const int TriggersOffset = 7;
        IPlatformChips chips = Machine;
        chips.IoApic.AssertPin(Pin);
        chips.AtPic.SetTrigger(5, level: true);
        chips.Rtc.WriteNvram(100, 0x5a);

        BinaryPrimitives.ReadUInt32LittleEndian(Machine.ReadAll(VmmDataClass.IoApic, null).AsSpan(256 + (Pin * 4))).Should().Be(1);
        Machine.ReadAll(VmmDataClass.AtPic, null)[TriggersOffset].Should().Be(1 << 5);
        byte[] clock = Machine.ReadAll(VmmDataClass.Rtc, null);
        clock[100].Should().Be(0x5a);
        clock[100] = 0xa5;
        Machine.Write(VmmDataClass.Rtc, null, clock).Error.Should().Be(VmmError.None);
        chips.Rtc.ReadNvram(100).Should().Be(0xa5);
    }

    [Test]
    public void Any_registers_that_there_are_can_be_written_and_one_that_there_is_not_changes_nothing()
    {
        Machine.WriteFields(VmmDataClass.Msr, 1, (LongStar, 0x1000), (Efer, 1)).Should().Be(new VmmDataResult(VmmError.None, 32));
        Machine.WriteFields(VmmDataClass.Msr, 1, (LongStar, 0x2000), (0x1234, 0)).Error.Should().Be(VmmError.EINVAL);

        Dictionary<uint, ulong> fields = Machine.ReadFields(VmmDataClass.Msr, 1);
        (fields[LongStar], fields[Efer]).Should().Be((0x1000, 1));
        Machine.GetVcpu(new VcpuId(1)).TryGetMsr(new MsrIndex(LongStar), out ulong star).Should().BeTrue();
        star.Should().Be(0x1000);
        Machine.ReadFields(VmmDataClass.Msr, 0)[LongStar].Should().Be(0, "the other vCPU has its own");
    }

    [Test]
    public void Register_that_cannot_change_takes_only_what_it_has()
    {
        ulong capabilities = Machine.ReadFields(VmmDataClass.Msr, 0)[MtrrCapabilities];

        Machine.WriteFields(VmmDataClass.Msr, 0, (MtrrCapabilities, capabilities)).Error.Should().Be(VmmError.None);
        Machine.WriteFields(VmmDataClass.Msr, 0, (MtrrCapabilities, capabilities ^ 1)).Error.Should().Be(VmmError.EINVAL);
        Machine.WriteFields(VmmDataClass.Msr, 0, (0x277, 2)).Error.Should().Be(VmmError.EINVAL, "2 is no memory type");
    }

    [Test]
    public void Array_is_made_of_whole_elements()
    {
        byte[] fields = DataExchange.Fields((LongStar, 0x1000));

        Machine.Write(VmmDataClass.Msr, 0, fields.AsSpan(0, 15)).Error.Should().Be(VmmError.EINVAL);
        Machine.Read(VmmDataClass.Msr, 0, fields.AsSpan(0, 15), VmmDataFlags.ReadCopyIn).Error.Should().Be(VmmError.EINVAL);
        Machine.Write(VmmDataClass.Msr, 0, []).Should().Be(new VmmDataResult(VmmError.None, 0));
    }

    [Test]
    public void Caller_reads_the_values_that_it_names()
    {
        Machine.WriteFields(VmmDataClass.Msr, 0, (LongStar, 0x1000)).Error.Should().Be(VmmError.None);
        byte[] wanted = DataExchange.Fields((LongStar, 0), (Efer, 77));

        Machine.Read(VmmDataClass.Msr, 0, wanted, VmmDataFlags.ReadCopyIn).Should().Be(new VmmDataResult(VmmError.None, 32));

        DataExchange.Fields(wanted).Should().Equal(new Dictionary<uint, ulong> { [LongStar] = 0x1000, [Efer] = 0 });
        Machine.Read(VmmDataClass.VmmArch, null, DataExchange.Fields((99, 0)), VmmDataFlags.ReadCopyIn).Error.Should().Be(VmmError.EINVAL);
    }

    [Test]
    public void Rate_of_the_TSC_cannot_be_written_and_unknown_numbers_are_EINVAL()
    {
        ulong rate = Machine.ReadFields(VmmDataClass.VmmArch, null)[TscFrequency];

        rate.Should().BeGreaterThan(100_000_000);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (TscFrequency, rate)).Error.Should().Be(VmmError.EPERM);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (0, 0)).Error.Should().Be(VmmError.EINVAL);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (4, 0)).Error.Should().Be(VmmError.EINVAL);
        Machine.WriteFields(VmmDataClass.VmmArch, 0, (BootTime, 0)).Error.Should().Be(VmmError.EINVAL, "a vCPU has none of its own");
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Time_of_the_VM_begins_where_it_is_told(bool paused)
    {
        const long Hour = 3_600_000_000_000;
        long TimeNow() => BinaryPrimitives.ReadInt64LittleEndian(Machine.ReadAll(VmmDataClass.Rtc, null).AsSpan(136));
        if (paused)
        {
            Pause();
        }

        long before = TimeNow();
        long boot = (long)Machine.ReadFields(VmmDataClass.VmmArch, null)[BootTime];

        Machine.WriteFields(VmmDataClass.VmmArch, null, (BootTime, (ulong)(boot - Hour))).Error.Should().Be(VmmError.None);

        ((long)Machine.ReadFields(VmmDataClass.VmmArch, null)[BootTime]).Should().Be(boot - Hour);
        Machine.Normalize(new(boot)).Nanoseconds.Should().Be(Hour);
        TimeNow().Should().BeGreaterThanOrEqualTo(before + Hour);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (BootTime, (ulong)boot)).Error.Should().Be(VmmError.None, "time may also go back");
        Machine.WriteFields(VmmDataClass.VmmArch, null, (BootTime, (ulong)(boot + Hour))).Error.Should().Be(VmmError.EINVAL, "it lies in the future");
        Machine.WriteFields(VmmDataClass.VmmArch, null, (BootTime, 1ul << 63)).Error.Should().Be(VmmError.EINVAL, "it is too long ago");
        ((long)Machine.ReadFields(VmmDataClass.VmmArch, null)[BootTime]).Should().Be(boot);
    }

    [Test]
    public void TSC_of_one_vCPU_and_of_all_moves_by_offsets_where_the_host_lets_it()
    {
        const ulong Own = 5_000_000_000_000;
        const ulong All = 7_000_000_000_000;
        ulong boot = Machine.ReadFields(VmmDataClass.VmmArch, null)[TscBootOffset];
        ulong whole = Machine.GetVcpu(new VcpuId(1)).GetTscOffset(physicalAdjust: false);
        bool takes = Machine.GetVcpu(default).TakesTscOffset;
        VmmError expected = takes ? VmmError.None : VmmError.ENOTSUP;

        Machine.ReadFields(VmmDataClass.Msr, 1)[TimeStampCounter].Should().Be(0);
        whole.Should().Be(boot);
        Machine.WriteFields(VmmDataClass.Msr, 1, (LongStar, 0x1000), (TimeStampCounter, Own)).Error.Should().Be(expected);
        Machine.WriteFields(VmmDataClass.VmmArch, null, (TscBootOffset, unchecked(boot + All))).Error.Should().Be(expected);

        Machine.ReadFields(VmmDataClass.Msr, 1)[TimeStampCounter].Should().Be(takes ? Own : 0);
        Machine.ReadFields(VmmDataClass.Msr, 1)[LongStar].Should().Be(takes ? 0x1000u : 0, "all or nothing is taken");
        Machine.ReadFields(VmmDataClass.Msr, 0)[TimeStampCounter].Should().Be(0);
        Machine.GetVcpu(new VcpuId(1)).GetTscOffset(physicalAdjust: false).Should().Be(takes ? unchecked(boot + All + Own) : boot);
    }

    [Test]
    public void Pending_events_of_a_vCPU_travel()
    {
        const ulong PageFault = (1ul << 31) | (1 << 11) | (3 << 8) | 14 | (5ul << 32);
        const ulong Interrupt = (1ul << 31) | 0x55;

        Machine.WriteFields(VmmDataClass.VmmArch, 1, (10, 1), (11, 1), (12, PageFault), (13, Interrupt)).Error.Should().Be(VmmError.None);

        VirtualCpu cpu = Machine.GetVcpu(new VcpuId(1));
        (cpu.IsNmiPending, cpu.IsExternalInterruptPending).Should().Be((true, true));
        cpu.GetPendingEvents().Should().Be((new(Interrupt), new(PageFault)));
        Machine.ReadFields(VmmDataClass.VmmArch, 1).Should().Equal(
            new Dictionary<uint, ulong> { [10] = 1, [11] = 1, [12] = PageFault, [13] = Interrupt });
        Machine.WriteFields(VmmDataClass.VmmArch, 1, (10, 0), (11, 0), (12, 0), (13, 0)).Error.Should().Be(VmmError.None);
        Machine.ReadFields(VmmDataClass.VmmArch, 1).Values.Should().OnlyContain(value => value == 0);
    }

    [TestCase(12u, (1ul << 31) | (2 << 8) | 2, TestName = "An NMI is not an exception")]
    [TestCase(12u, (1ul << 31) | (3 << 8) | 32, TestName = "An exception has a vector below 32")]
    [TestCase(12u, (1ul << 31) | (3 << 8) | (1 << 12) | 14, TestName = "An exception has no reserved bits")]
    [TestCase(13u, (1ul << 31) | (2 << 8) | 3, TestName = "An NMI cut short has vector 2")]
    [TestCase(13u, (1ul << 31) | (1 << 30) | 0x55, TestName = "An interrupt cut short has no reserved bits")]
    public void Event_that_cannot_be_is_EINVAL(uint number, ulong value)
    {
        Machine.WriteFields(VmmDataClass.VmmArch, 0, (10, 1), (number, value)).Error.Should().Be(VmmError.EINVAL);
        Machine.GetVcpu(default).IsNmiPending.Should().BeFalse("all are looked at first");
    }

    [Test]
    public void State_of_the_VM_wants_its_own_freeze()
    {
        IVcpuFreeze over = Machine.FreezeVcpus();
        over.Dispose();
        Action read = () => Machine.ReadData(over, new VmmDataRequest(VmmDataClass.Version, 1, new byte[80]));
        Action write = () => Machine.WriteData(over, new VmmDataRequest(VmmDataClass.Rtc, 1, new byte[160]));

        read.Should().Throw<InvalidOperationException>();
        write.Should().Throw<InvalidOperationException>();
        Machine.Dispose();
        Action late = () => Machine.ReadData(default(VcpuId), new VmmDataRequest(VmmDataClass.Msr, 1, new byte[8192]));
        late.Should().Throw<ObjectDisposedException>();
    }

    private void Pause()
    {
        using IVcpuFreeze freeze = Machine.FreezeVcpus();
        Machine.Pause(freeze);
    }
}
