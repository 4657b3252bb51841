// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Security.Cryptography;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm;

/// <summary>
/// Whole guests of random bytes and of random kernel code on KVM, with the second chance and with their kernel carried, in each mode of
/// the interrupt controllers, now and then with two vCPUs, and with devices that answer anything and sometimes throw. Nothing comes out of a
/// run but exits and what a device has thrown; every run ends when it is asked to; memory that is not the guest's to write stays as it is.
/// </summary>
[Category("Kvm")]
internal sealed class RandomGuestTests
{
    private const int RunsPerGuest = 40;
    private const int YieldsPerGuest = 4;
    private const ulong ReadOnlyMemory = 0x300000;
    private const int ReadOnlyLength = 0x4000;
    private const byte Untouched = 0xa5;
    private const ulong Device = 0xd0000000;

    /// <summary>The registers of SYSCALL come out.</summary>
    private static readonly MsrFilter s_filter = new(true, [new MsrFilterRange(MsrDirections.Both, new MsrIndex(0xc0000080), 8, [0])], []);

    private static readonly TimeSpan s_yieldInterval = TimeSpan.FromMilliseconds(2);

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void Random_guests_on_KVM_end_in_exits(int seed) => Fuzz(new Random(seed), guests: 50);

    [Test]
    [Category("Long")]
    [Explicit("takes ten minutes")]
    public void Random_guests_on_KVM_for_ten_minutes()
    {
        Random random = new(RandomNumberGenerator.GetInt32(int.MaxValue));
        DateTime end = DateTime.UtcNow.AddMinutes(10);
        int guests = 0;
        while (DateTime.UtcNow < end)
        {
            const int Guests = 100;
            Fuzz(random, Guests);
            guests += Guests;
            TestContext.Progress.WriteLine($"{guests} guests");
        }
    }

    [Test]
    [Explicit("runs the guest that a failure has named, of the seed in VMM_GUEST_SEED")]
    public void One_random_guest_on_KVM_again() =>
        RunGuest(int.Parse(Environment.GetEnvironmentVariable("VMM_GUEST_SEED") ?? "0", CultureInfo.InvariantCulture));

    private static void Fuzz(Random random, int guests)
    {
        for (int number = 0; number < guests; number++)
        {
            int seed = random.Next();
            try
            {
                RunGuest(seed);
            }
            catch (Exception failure) when (failure is not ResultStateException)
            {
                throw new AssertionException($"the guest of seed {seed}: {failure}", failure);
            }
        }
    }

    private static void RunGuest(int seed)
    {
        Random random = new(seed);
        InterruptControllerMode[] modes = [InterruptControllerMode.Userspace, InterruptControllerMode.Split, InterruptControllerMode.Kernel];
        int cpus = random.Next(6) == 0 ? 2 : 1;
        using LongModeMachine guest = new(
            KvmRequirement.OpenBackend(),
            modes[random.Next(3)],
            cpus,
            unclaimed: random.Next(2) == 0 ? UnclaimedAccess.Exit : UnclaimedAccess.Default,
            chips: random.Next(2) == 0,
            configure: options => options with
            {
                CarriesFromStart = random.Next(2) == 0,
                UnclaimedMsr = (UnclaimedMsr)random.Next(3),
                EngineMsrs = random.Next(2) == 0,
                MsrFilter = random.Next(4) == 0 ? s_filter : null,
                Flags = random.Next(3) == 0 ? CreateFlags.TrackDirty : CreateFlags.None,
            });
        Equip(random, guest);
        VirtualCpu[] vcpus = [.. guest.Machine.Vcpus];
        foreach (VirtualCpu cpu in vcpus)
        {
            Begin(random, guest, cpu);
        }

        Random[] randoms = [.. vcpus.Select(_ => new Random(random.Next()))];
        long runs = 0;
        Background[] threads = [.. vcpus.Select((cpu, i) => Background.Start(() => RunVcpu(randoms[i], cpu, ref runs)))];
        Watch(threads, vcpus, ref runs);
        guest.Read(ReadOnlyMemory, ReadOnlyLength).Should().OnlyContain(b => b == Untouched);
    }

    /// <summary>Asks the vCPUs to come out again and again until they have ended.</summary>
    private static void Watch(Background[] threads, VirtualCpu[] vcpus, ref long runs)
    {
        while (true)
        {
            long before = Interlocked.Read(ref runs);
            bool progresses = false;
            for (int tries = 0; tries < 10_000 && !progresses; tries++)
            {
                if (SpinWait.SpinUntil(() => threads.All(thread => thread.IsFinished), s_yieldInterval))
                {
                    Array.ForEach(threads, thread => thread.Join());
                    return;
                }

                Array.ForEach(vcpus, cpu => cpu.RequestYield());
                progresses = Interlocked.Read(ref runs) != before;
            }

            progresses.Should().BeTrue("a run ends when it is asked to");
        }
    }

    /// <summary>Memory that may not be written, and devices.</summary>
    private static void Equip(Random random, LongModeMachine guest)
    {
        const ulong Length = ReadOnlyLength;
        byte[] pattern = new byte[ReadOnlyLength];
        Array.Fill(pattern, Untouched);
        IMemoryMap map = guest.Machine.MemoryMap;
        using (IVcpuFreeze freeze = guest.Machine.FreezeVcpus())
        {
            map.AllocateSegment(freeze, new SegmentId(1), Length, false);
            map.Map(freeze, new GuestMemoryMapping(new(ReadOnlyMemory), Length, new SegmentId(1), 0, MemoryProtection.All, MapFlags.None));
            guest.Write(ReadOnlyMemory, pattern);
            map.Unmap(freeze, new(ReadOnlyMemory), Length);
            map.Map(freeze, new GuestMemoryMapping(
                new(ReadOnlyMemory), Length, new SegmentId(1), 0, MemoryProtection.Read | MemoryProtection.Execute, MapFlags.None));
        }

        RandomDevice device = new(random.Next());
        guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(Device), 0x2000), device);
        guest.Machine.Mmio.Attach(GuestPhysicalRange.Create(new(LongModeMachine.MemoryLength), 0x1000), device);
        for (ushort port = 0x200; port < 0x210; port++)
        {
            guest.Machine.Ports.Attach(port, device);
        }
    }

    private static void Begin(Random random, LongModeMachine guest, VirtualCpu cpu)
    {
        if (random.Next(3) == 0)
        {
            // Not in states that no processor could be in: KVM refuses them.
            RandomGuest start = new(random, (RandomGuestMode)random.Next((int)RandomGuestMode.Impossible));
            byte[] memory = new byte[LongModeMachine.MemoryLength];
            start.FillMemory(memory);
            guest.Write(0, memory);
            cpu.SetRegister(RegisterName.Cr0, 0x10);
            cpu.SetRegister(RegisterName.Efer, 0);
            start.SetRegisters(RegisterSetter.Of(cpu));
            return;
        }

        for (int vector = 0; vector < 256; vector++)
        {
            guest.Write(LongModeMachine.Handlers + ((ulong)vector * 16), RandomCode.SkippingHandler(vector));
        }

        byte[] code = new byte[0x1000];
        RandomCode.Fill(random, code, [
            LongModeMachine.Data, LongModeMachine.Data + 0xffc, LongModeMachine.Data + 0xff8, LongModeMachine.FirstPageTable, 0x1000, 0x2000, 0x3000,
            LongModeMachine.MemoryLength - 4, LongModeMachine.MemoryLength, Device, Device + 0x1ffc, ReadOnlyMemory, 0x70000, 0x200, 0x10, 0x33,
            0xfee00000, 0xfec00000,
        ]);
        guest.Write(cpu.GetRegister(RegisterName.Rip), code);
        if (random.Next(6) == 0)
        {
            LongModeMachine.EnterUserMode(cpu, cpu.GetRegister(RegisterName.Rip));
        }
    }

    private static void RunVcpu(Random random, VirtualCpu cpu, ref long runs)
    {
        VmEntry entry = VmEntry.Default;
        int yields = 0;
        for (int run = 0; run < RunsPerGuest && yields < YieldsPerGuest; run++)
        {
            try
            {
                VmExit exit = cpu.Run(entry);
                yields += exit.Code is ExitCode.Bogus or ExitCode.RunState ? 1 : 0;
                if (!TryAnswer(random, cpu, exit, out entry))
                {
                    return;
                }
            }
            catch (DeviceFailureException)
            {
                cpu.Pending.Should().Be(PendingOperation.Exit, "the access of a handler that threw waits");
                entry = VmEntry.Default;
            }
            finally
            {
                Interlocked.Increment(ref runs);
            }
        }
    }

    /// <summary>Goes on with a guest as somebody would who answers at random.</summary>
    /// <returns>Whether it can go on.</returns>
    private static bool TryAnswer(Random random, VirtualCpu cpu, in VmExit exit, out VmEntry entry)
    {
        entry = VmEntry.Default;
        if (cpu.Pending == PendingOperation.Exit)
        {
            entry = Answer(random, exit);
            return true;
        }

        switch (exit.Code)
        {
            case ExitCode.Suspended or ExitCode.Shutdown or ExitCode.InternalError or ExitCode.EntryFailure:
                return false;
            case ExitCode.InstructionEmulation:
                cpu.SetRegister(RegisterName.Rip, exit.Rip + (ulong)random.Next(1, 8));
                return random.Next(8) != 0;
            case ExitCode.Bogus:
                Disturb(random, cpu);
                return true;
            default:
                return true;
        }
    }

    private static VmEntry Answer(Random random, in VmExit exit)
    {
        if (random.Next(8) == 0)
        {
            return VmEntry.DiscardInstruction;
        }

        ulong value = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
        MsrOutcome outcome = random.Next(4) == 0 ? MsrOutcome.GeneralProtection : MsrOutcome.Handled;
        return exit.Code switch
        {
            ExitCode.Inout => VmEntry.FulfillPort(exit.Port, (uint)value),
            ExitCode.Mmio => VmEntry.FulfillMmio(exit.Mmio, value),
            ExitCode.Rdmsr or ExitCode.Wrmsr => VmEntry.FulfillMsr(exit.Msr.Index, outcome, value),
            ExitCode.Hypercall => VmEntry.FulfillHypercall(value),
            _ => VmEntry.DiscardInstruction,
        };
    }

    private static void Disturb(Random random, VirtualCpu cpu)
    {
        switch (random.Next(5))
        {
            case 0:
                cpu.InjectNmi();
                break;
            case 1:
                cpu.InjectExternalInterrupt();
                break;
            case 2:
                try
                {
                    cpu.Inject(GuestException.GeneralProtection());
                }
                catch (VmmException refusal) when (refusal.Error == VmmError.EBUSY)
                {
                    // An exception is queued already.
                }

                break;
            default:
                break;
        }
    }

    private sealed class DeviceFailureException : Exception;

    /// <summary>Registers of anything.</summary>
    private sealed class RandomDevice(int seed) : IMmioHandler, IPortHandler
    {
        private readonly Random _random = new(seed);
        private readonly Lock _lock = new();

        public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes) => Next();

        public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value) => Next();

        public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
        {
            value = (uint)Next();
            return (PortOutcome)(value % 8 == 0 ? 1 : 0);
        }

        public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
        {
            Next();
            return PortOutcome.Handled;
        }

        private ulong Next()
        {
            lock (_lock)
            {
                return _random.Next(16) == 0
                    ? throw new DeviceFailureException()
                    : (ulong)_random.NextInt64(long.MinValue, long.MaxValue);
            }
        }
    }
}
