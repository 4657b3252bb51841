// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Iced.Intel;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Devices;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Kvm;
using Vmm.Kvm.Interop;
using Vmm.Software;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Conformance;

/// <summary>Doorbells and coalesced ranges mean the same whoever executes the guest.</summary>
public abstract class NotificationConformance
{
    private const ulong Registers = 0xd0000000;
    private const ushort Port = 0x300;

    private IHypervisorBackend? _backend;
    private LongModeMachine? _guest;
    private SafeHandle? _counter;

    private protected LongModeMachine Guest => _guest!;

    private SafeHandle Counter => _counter!;

    private IHostEvents Events => (IHostEvents)_backend!;

    /// <summary>Whether a write that the hypervisor answers by itself stays in the guest.</summary>
    protected virtual bool StaysInGuest => false;

    [SetUp]
    public void Create()
    {
        _backend = CreateBackend();
        _guest = CreateGuest(_backend);
        _counter = Events.CreateEvent();
    }

    [TearDown]
    public void Destroy()
    {
        _guest?.Dispose();
        _counter?.Dispose();
        _backend?.Dispose();
        (_guest, _counter, _backend) = (null, null, null);
    }

    /// <summary>Opens the backend, or ends the test with the reason why not.</summary>
    private protected abstract IHypervisorBackend CreateBackend();

    private protected abstract LongModeMachine CreateGuest(IHypervisorBackend backend);

    [Test]
    public void Write_of_a_doorbell_signals_its_counter_and_is_no_exit_for_the_caller()
    {
        FakeMmio mmio = Attach();
        using IDoorbellRegistration bell = Guest.Machine.AttachDoorbell(Bell(0x10, 4), Counter);
        Guest.Assemble(a =>
        {
            a.mov(edi, (uint)Registers);
            for (int i = 0; i < 3; i++)
            {
                a.mov(__dword_ptr[rdi + 0x10], i);
            }
        });

        Guest.RunToEnd();

        Events.TakeEvent(Counter).Should().Be(3);
        mmio.Accesses.Should().BeEmpty();
        (Guest.Cpu.Counters.MmioExits == 0).Should().Be(StaysInGuest);
        bell.IsTakenByHypervisor.Should().Be(_backend is KvmBackend);
    }

    [Test]
    public void Reads_and_writes_of_another_width_or_place_go_to_the_handler()
    {
        FakeMmio mmio = Attach();
        using IDoorbellRegistration bell = Guest.Machine.AttachDoorbell(Bell(0x10, 4), Counter);
        Guest.Assemble(a =>
        {
            a.mov(edi, (uint)Registers);
            a.mov(__word_ptr[rdi + 0x10], 0x11);
            a.mov(__dword_ptr[rdi + 0x14], 0x22);
            a.mov(eax, __dword_ptr[rdi + 0x10]);
        });

        Guest.RunToEnd();

        Events.TakeEvent(Counter).Should().Be(0);
        mmio.Accesses.Should().Equal((false, 0x10, 2, 0x11), (false, 0x14, 4, 0x22), (true, 0x10, 4, 0));
    }

    [Test]
    public void Doorbells_at_one_address_are_told_apart_by_the_value()
    {
        FakeMmio mmio = Attach();
        using SafeHandle second = Events.CreateEvent();
        using IDoorbellRegistration first = Guest.Machine.AttachDoorbell(Bell(0x10, 2, 1), Counter);
        using IDoorbellRegistration other = Guest.Machine.AttachDoorbell(Bell(0x10, 2, 2), second);
        Guest.Assemble(a =>
        {
            a.mov(edi, (uint)Registers);
            foreach (short value in (ReadOnlySpan<short>)[1, 2, 2, 3])
            {
                a.mov(__word_ptr[rdi + 0x10], value);
            }
        });

        Guest.RunToEnd();

        Events.TakeEvent(Counter).Should().Be(1);
        Events.TakeEvent(second).Should().Be(2);
        mmio.Accesses.Should().Equal((false, 0x10, 2, 3));
    }

    [Test]
    public void Doorbell_for_every_width_counts_every_write()
    {
        FakeMmio mmio = Attach();
        using IDoorbellRegistration bell = Guest.Machine.AttachDoorbell(Bell(0x10, 0), Counter);
        Guest.Assemble(a =>
        {
            a.mov(edi, (uint)Registers);
            a.mov(__byte_ptr[rdi + 0x10], 1);
            a.mov(__word_ptr[rdi + 0x10], 1);
            a.mov(__dword_ptr[rdi + 0x10], 1);
            a.mov(__qword_ptr[rdi + 0x10], 1);
        });

        Guest.RunToEnd();

        Events.TakeEvent(Counter).Should().Be(4);
        mmio.Accesses.Should().BeEmpty();
    }

    [Test]
    public void Port_is_a_doorbell_too_each_element_of_a_string_rings_it()
    {
        FakePort port = new();
        Guest.Machine.Ports.Attach(Port, port);
        using IDoorbellRegistration bell = Guest.Machine.AttachDoorbell(new Doorbell(BusKind.Port, Port, 1, 7), Counter);
        Guest.Write(LongModeMachine.Data, 7, 8, 7, 7);
        Guest.Assemble(a =>
        {
            a.mov(edx, Port);
            a.mov(eax, 7);
            a.@out(dx, al);
            a.@out(dx, ax);
            a.mov(rsi, LongModeMachine.Data);
            a.mov(ecx, 4);
            a.rep.outsb();
        });

        Guest.RunToEnd();

        Events.TakeEvent(Counter).Should().Be(4);
        port.Accesses.Should().Equal((false, Port, 2, 7), (false, Port, 1, 8));
    }

    [Test]
    public void Thread_that_waits_for_the_eventfd_is_woken_by_the_guest()
    {
        const int Key = 5;
        using IDoorbellRegistration bell = Guest.Machine.AttachDoorbell(Bell(0, 4), Counter);
        using IEventWait wait = Events.CreateEventWait();
        wait.Add(Counter, Key);
        Background device = Background.Start(() =>
        {
            int[] keys = new int[1];
            while (wait.Wait(keys) == 0)
            {
            }

            keys.Should().Equal(Key);
        });
        Guest.Assemble(a =>
        {
            a.mov(edi, (uint)Registers);
            a.mov(__dword_ptr[rdi], 1);
        });

        Guest.RunToEnd();

        device.Join();
    }

    [Test]
    public void Detached_doorbell_leaves_its_register_to_the_handler()
    {
        FakeMmio mmio = Attach();
        IDoorbellRegistration bell = Guest.Machine.AttachDoorbell(Bell(0x10, 4), Counter);
        bell.Dispose();
        bell.Dispose();
        Guest.Assemble(a =>
        {
            a.mov(edi, (uint)Registers);
            a.mov(__dword_ptr[rdi + 0x10], 5);
        });

        Guest.RunToEnd();

        Events.TakeEvent(Counter).Should().Be(0);
        mmio.Accesses.Should().Equal((false, 0x10, 4, 5));
        Guest.Machine.AttachDoorbell(Bell(0x10, 4), Counter).Dispose();
    }

    [Test]
    public void Registrations_stand_across_a_reinitialization()
    {
        FakeMmio mmio = Attach();
        using IDoorbellRegistration bell = Guest.Machine.AttachDoorbell(Bell(0x10, 4), Counter);
        using ICoalescedRange range = Guest.Machine.Coalesce(BusKind.Memory, Registers + 0x100, 0x100);
        (bool bellWas, bool rangeWas) = (bell.IsTakenByHypervisor, range.IsTakenByHypervisor);
        using (IVcpuFreeze freeze = Guest.Machine.FreezeVcpus())
        {
            Guest.Machine.Reinitialize(freeze, ReinitializeFlags.ForceSuspend);
        }

        Guest.Prepare(Guest.Cpu);
        Guest.Assemble(a =>
        {
            a.mov(edi, (uint)Registers);
            a.mov(__dword_ptr[rdi + 0x10], 1);
            a.mov(__dword_ptr[rdi + 0x110], 2);
        });
        Guest.RunToEnd();

        Events.TakeEvent(Counter).Should().Be(1);
        mmio.Accesses.Should().Equal((false, 0x110, 4, 2));
        bell.IsTakenByHypervisor.Should().Be(bellWas);
        range.IsTakenByHypervisor.Should().Be(rangeWas);
    }

    [Test]
    public void Coalesced_writes_reach_their_handlers_in_order_before_the_next_exit()
    {
        const int Writes = 500;
        FakeMmio mmio = Attach();
        int seen = 0;
        Guest.Machine.Ports.Attach(Port, new FakePort { During = _ => seen = mmio.Accesses.Count });
        using ICoalescedRange range = Guest.Machine.Coalesce(BusKind.Memory, Registers, 0x100);
        Guest.Assemble(a =>
        {
            Label again = a.CreateLabel();
            a.mov(edi, (uint)Registers);
            a.xor(eax, eax);
            a.Label(ref again);
            a.mov(__dword_ptr[rdi + 8], eax);
            a.inc(eax);
            a.cmp(eax, Writes);
            a.jne(again);
            a.mov(edx, Port);
            a.@out(dx, al);
        });

        Guest.RunToEnd();

        seen.Should().Be(Writes);
        mmio.Accesses.Select(access => access.Value).Should().Equal(Enumerable.Range(0, Writes).Select(value => (ulong)value));
        mmio.Accesses.Should().OnlyContain(access => !access.IsRead && access.Offset == 8 && access.Bytes == 4);
        (Guest.Cpu.Counters.MmioExits < Writes / 10).Should().Be(StaysInGuest);
    }

    [Test]
    public void Coalesced_outputs_reach_the_handler_of_their_port()
    {
        FakePort port = new();
        Guest.Machine.Ports.Attach(Port, port);
        ICoalescedRange range = Guest.Machine.Coalesce(BusKind.Port, Port, 4);
        Guest.Assemble(a =>
        {
            a.mov(edx, Port);
            a.mov(eax, 0x1234);
            a.@out(dx, al);
            a.@out(dx, ax);
            a.mov(edi, (uint)Registers);
            a.mov(eax, __dword_ptr[rdi]);
        });
        Attach();

        Guest.RunToEnd();

        port.Accesses.Should().Equal((false, Port, 1, 0x34), (false, Port, 2, 0x1234));
        range.Dispose();
        range.Dispose();
        Guest.Machine.Coalesce(BusKind.Port, Port, 4).Dispose();
    }

    [Test]
    public void Registrations_that_overlap_are_refused()
    {
        using IDoorbellRegistration valued = Guest.Machine.AttachDoorbell(Bell(0x10, 2, 1), Counter);
        using ICoalescedRange range = Guest.Machine.Coalesce(BusKind.Memory, Registers + 0x100, 0x100);

        Refused(Bell(0x10, 2, 1), "the same");
        Refused(Bell(0x10, 2), "every value");
        Refused(Bell(0x10, 4, 2), "another width");
        Refused(Bell(0x10, 0), "every width");
        Refused(Bell(0xe, 4), "begins before and reaches in");
        Refused(Bell(0x11, 1), "within");
        Refused(Bell(0x1fe, 4), "a coalesced range's end");
        Action within = () => Guest.Machine.Coalesce(BusKind.Memory, Registers, 0x11);
        within.ShouldFail(VmmError.EEXIST, "a doorbell is there");
        Action crossing = () => Guest.Machine.Coalesce(BusKind.Memory, Registers + 0x1ff, 1);
        crossing.ShouldFail(VmmError.EEXIST, "a coalesced range is there");
        Guest.Machine.AttachDoorbell(new Doorbell(BusKind.Port, 0x10, 2, 1), Counter).Dispose();

        void Refused(Doorbell doorbell, string because)
        {
            Action attach = () => Guest.Machine.AttachDoorbell(doorbell, Counter);
            attach.ShouldFail(VmmError.EEXIST, because);
        }
    }

    [TestCase(BusKind.Memory, 0ul, 3, null)]
    [TestCase(BusKind.Memory, 0ul, -1, null)]
    [TestCase(BusKind.Port, 0ul, 8, null)]
    [TestCase(BusKind.Port, 0x10000ul, 1, null)]
    [TestCase(BusKind.Port, 0xfffful, 2, null)]
    [TestCase(BusKind.Memory, ulong.MaxValue, 2, null)]
    [TestCase(BusKind.Memory, 0ul, 0, 1ul)]
    [TestCase(BusKind.Memory, 0ul, 1, 0x100ul)]
    [TestCase((BusKind)2, 0ul, 1, null)]
    public void Doorbell_that_no_write_can_ring_is_refused(BusKind bus, ulong address, int length, ulong? value)
    {
        Action attach = () => Guest.Machine.AttachDoorbell(new Doorbell(bus, address, length, value), Counter);
        attach.ShouldFail(VmmError.EINVAL);
    }

    [TestCase(BusKind.Memory, 0ul, 0ul)]
    [TestCase(BusKind.Memory, 0ul, 0x1_0000_0000ul)]
    [TestCase(BusKind.Memory, ulong.MaxValue, 2ul)]
    [TestCase(BusKind.Port, 0xffful, 0xf002ul)]
    [TestCase((BusKind)2, 0ul, 1ul)]
    public void Range_that_does_not_fit_its_bus_is_refused(BusKind bus, ulong first, ulong length)
    {
        Action coalesce = () => Guest.Machine.Coalesce(bus, first, length);
        coalesce.ShouldFail(VmmError.EINVAL);
    }

    [Test]
    public void Full_eventfd_takes_nothing_more_and_the_guest_goes_on()
    {
        using IDoorbellRegistration bell = Guest.Machine.AttachDoorbell(Bell(0, 4), Counter);
        EventFd.Signal(Counter, ulong.MaxValue - 1);
        Guest.Assemble(a =>
        {
            a.mov(edi, (uint)Registers);
            a.mov(__dword_ptr[rdi], 1);
            a.mov(__dword_ptr[rdi], 1);
        });

        Guest.RunToEnd();

        Events.TakeEvent(Counter).Should().BeGreaterThanOrEqualTo(ulong.MaxValue - 1);
        Events.TakeEvent(Counter).Should().Be(0);
    }

    [Test]
    public void Eventfd_that_its_owner_closes_is_kept_open_by_the_registration()
    {
        SafeHandle mine = Events.CreateEvent();
        IDoorbellRegistration bell = Guest.Machine.AttachDoorbell(Bell(0, 4), mine);
        mine.Dispose();
        Guest.Assemble(a =>
        {
            a.mov(edi, (uint)Registers);
            a.mov(__dword_ptr[rdi], 1);
        });

        Guest.RunToEnd();

        bell.Dispose();
        Action again = () => Guest.Machine.AttachDoorbell(Bell(0, 4), mine);
        again.Should().Throw<ObjectDisposedException>();
    }

    [Test]
    public void Descriptor_that_is_no_eventfd_is_refused()
    {
        using FileStream file = File.OpenRead("/dev/null");
        Action attach = () => Guest.Machine.AttachDoorbell(Bell(0, 4), file.SafeFileHandle);
        attach.ShouldFail(VmmError.EINVAL);
    }

    [Test]
    public void Registration_may_outlive_its_VM_which_takes_no_new_one_then()
    {
        IDoorbellRegistration bell = Guest.Machine.AttachDoorbell(Bell(0, 4), Counter);
        ICoalescedRange range = Guest.Machine.Coalesce(BusKind.Port, Port, 1);
        Guest.Machine.Dispose();

        bell.Dispose();
        range.Dispose();
        Action attach = () => Guest.Machine.AttachDoorbell(Bell(0, 4), Counter);
        attach.Should().Throw<ObjectDisposedException>();
    }

    private static Doorbell Bell(ulong offset, int length, ulong? value = null) =>
        new(BusKind.Memory, Registers + offset, length, value);

    private FakeMmio Attach()
    {
        FakeMmio mmio = new();
        Guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Registers), 0x1000), mmio);
        return mmio;
    }
}

/// <summary>KVM in each mode, executing the guest itself or leaving kernel mode to the engine where it would interpret it.</summary>
[Category("Kvm")]
[TestFixture(InterruptControllerMode.Userspace, false)]
[TestFixture(InterruptControllerMode.Split, false)]
[TestFixture(InterruptControllerMode.Kernel, false)]
[TestFixture(InterruptControllerMode.Userspace, true)]
public sealed class KvmNotifications(InterruptControllerMode mode, bool carries) : NotificationConformance
{
    private bool _isCarried;

    protected override bool StaysInGuest => !_isCarried;

    private protected override IHypervisorBackend CreateBackend() => KvmRequirement.OpenBackend();

    private protected override LongModeMachine CreateGuest(IHypervisorBackend backend)
    {
        _isCarried = carries && backend.Description.InterpretsKernelMode;
        return new LongModeMachine(backend, mode, configure: options => options with { CarriesFromStart = carries });
    }
}

/// <summary>The processor in software, whose writes are all the engine's.</summary>
public sealed class SoftwareNotifications : NotificationConformance
{
    private protected override IHypervisorBackend CreateBackend() => new SoftwareBackend();

    private protected override LongModeMachine CreateGuest(IHypervisorBackend backend) => new(backend);
}
