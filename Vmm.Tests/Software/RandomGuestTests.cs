// SPDX-License-Identifier: BSD-2-Clause

using System.Security.Cryptography;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>
/// Whole guests of random bytes: as code in each mode, as page tables, as descriptor tables, as task states; with random breakpoints of
/// the guest and of a debugger, steps, and now and then with two processors in one memory. Nothing may come out of the backend but
/// exits, and none may take for ever; some have their blocks translated early. Memory beside the guest's cannot be accessed, so an access there would end the tests.
/// </summary>
internal sealed class RandomGuestTests
{
    private const int RunsPerGuest = 60;

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    [TestCase(4)]
    public void Random_guests_end_in_exits(int seed) => Fuzz(new Random(seed), guests: 150);

    [Test]
    [Category("Long")]
    [Explicit("takes ten minutes")]
    public void Random_guests_for_ten_minutes()
    {
        Random random = new(RandomNumberGenerator.GetInt32(int.MaxValue));
        DateTime end = DateTime.UtcNow.AddMinutes(10);
        while (DateTime.UtcNow < end)
        {
            int seed = random.Next();
            TestContext.Progress.WriteLine($"seed {seed}");
            Fuzz(new Random(seed), guests: 2000);
        }
    }

    private static void Fuzz(Random random, int guests)
    {
        using SoftwareBackend backend = new();
        using SoftwareBackend eager = new(new SoftwareBackendOptions { TranslatesAfter = 1 });
        using SoftwareBackend warm = new(new SoftwareBackendOptions { TranslatesAfter = 50 });
        using GuestMemoryBlock block = backend.AllocateMemory(BackendGuest.MemoryLength, default);
        for (int number = 0; number < guests; number++)
        {
            RunGuest(random, random.Next(16) switch { 0 => eager, < 3 => warm, _ => backend }, block);
        }
    }

    private static void RunGuest(Random random, SoftwareBackend backend, GuestMemoryBlock block)
    {
        int cpus = random.Next(8) == 0 ? 2 : 1;
        using IBackendVm vm = backend.CreateVm(
            new BackendVmOptions("fuzz", cpus, Vmm.Abstractions.Machine.InterruptControllerMode.Userspace, false, true, random.Next(2) == 0));
        using IDisposable placement = vm.PlaceMemory(new MemoryPlacement(
            GuestPhysicalRange.Create(default, BackendGuest.MemoryLength), block, 0, ReadOnly: false, TrackDirty: random.Next(4) == 0));
        FillMemory(random, block);
        Random others = new(random.Next());
        using IBackendVcpu cpu = vm.CreateVcpu(new VcpuId(0));
        if (cpus == 1)
        {
            RunVcpu(random, cpu);
            return;
        }

        using IBackendVcpu other = vm.CreateVcpu(new VcpuId(1));
        Background background = Background.Start(() => RunVcpu(others, other));
        RunVcpu(random, cpu);
        background.Join();
    }

    private static void RunVcpu(Random random, IBackendVcpu cpu)
    {
        SetRegisters(random, cpu);
        SetDebugging(random, cpu);
        VmExit exit = default;
        for (int run = 0; run < RunsPerGuest; run++)
        {
            cpu.Run(ref exit);
            if (!Answer(random, cpu, exit))
            {
                return;
            }
        }
    }

    /// <summary>Random bytes everywhere, or zeros with islands, whose tables then lead somewhere more often.</summary>
    private static void FillMemory(Random random, GuestMemoryBlock block)
    {
        const int Island = 0x4000;
        Span<byte> memory = block.GetSpan(0, (int)BackendGuest.MemoryLength);
        memory.Clear();
        for (int islands = random.Next(1, 12); islands > 0; islands--)
        {
            random.NextBytes(memory.Slice(random.Next(memory.Length - Island), Island));
        }

        random.NextBytes(memory[..0x3000]);

        // Page tables whose entries are present and point into memory, now and then with random rights.
        for (int entry = 0; entry < 2048; entry++)
        {
            ulong target = (ulong)random.Next((int)(BackendGuest.MemoryLength >> 12)) << 12;
            ulong rights = random.Next(8) == 0 ? (ulong)random.NextInt64() & 0x8000_0000_0000_0fff : 7;
            BitConverter.TryWriteBytes(memory[(0x10000 + (entry * 8))..], target | rights);
        }
    }

    private static void SetRegisters(Random random, IBackendVcpu cpu)
    {
        cpu.GeneralRegisters = new GeneralRegisters
        {
            Rax = Value(random),
            Rbx = Value(random),
            Rcx = Value(random),
            Rdx = Value(random),
            Rsi = Value(random),
            Rdi = Value(random),
            Rbp = Value(random),
            Rsp = Value(random),
            R8 = Value(random),
            R9 = Value(random),
            Rip = (ulong)random.Next(0x3000),
            Rflags = (ulong)random.NextInt64() & 0x3f7fd7 | 2,
        };
        for (RegisterName register = RegisterName.Es; register <= RegisterName.Tr; register++)
        {
            uint access = random.Next(4) == 0 ? (uint)random.Next(0x20000) : register == RegisterName.Cs ? 0x9bu : 0x93u;
            access |= random.Next(2) == 0 ? 0xc000u : 0;
            cpu.SetRegister(register, (ulong)random.Next(0x10000));
            cpu.SetSegmentDescriptor(
                register, new SegmentDescriptor(random.Next(4) == 0 ? Value(random) : 0, uint.MaxValue >> random.Next(32), new SegmentAccess(access)));
        }

        cpu.SetSegmentDescriptor(RegisterName.Gdtr, new SegmentDescriptor((ulong)random.Next(0x8000), 0xffff, default));
        cpu.SetSegmentDescriptor(RegisterName.Idtr, new SegmentDescriptor((ulong)random.Next(0x8000), 0xffff, default));
        cpu.SetRegister(RegisterName.Cr3, 0x10000);
        switch (random.Next(5))
        {
            case 0:
                break;
            case 1:
                cpu.SetRegister(RegisterName.Cr0, 0x11);
                break;
            case 2:
                cpu.SetRegister(RegisterName.Cr0, 0x80000011);
                cpu.SetRegister(RegisterName.Cr4, (ulong)random.Next(0x800));
                break;
            case 3:
                EnterLongMode(cpu);
                break;
            default:
                // What no processor could be in: the executor has to bear it.
                cpu.SetRegister(RegisterName.Cr0, (ulong)random.NextInt64());
                cpu.SetRegister(RegisterName.Cr4, (ulong)random.NextInt64());
                cpu.SetRegister(RegisterName.Efer, (ulong)random.NextInt64());
                break;
        }
    }

    /// <summary>The guest's debug registers, a debugger's breakpoints, and what ends a batch.</summary>
    private static void SetDebugging(Random random, IBackendVcpu cpu)
    {
        cpu.SetRegister(RegisterName.Xcr0, random.Next(3) switch { 0 => 1u, 1 => 3, _ => 7 });
        if (random.Next(3) == 0)
        {
            for (RegisterName register = RegisterName.Dr0; register <= RegisterName.Dr3; register++)
            {
                cpu.SetRegister(register, random.Next(2) == 0 ? Value(random) : (ulong)random.Next(0x3000));
            }

            cpu.SetRegister(RegisterName.Dr7, (ulong)random.NextInt64() & uint.MaxValue);
            cpu.SetRegister(RegisterName.Dr6, (ulong)random.NextInt64() & uint.MaxValue);
        }

        if (random.Next(8) == 0)
        {
            BreakpointKind[] kinds = [BreakpointKind.Execution, BreakpointKind.Write, BreakpointKind.Access];
            ((IBackendDebugging)cpu).SetHardwareBreakpoints(
            [
                .. Enumerable.Range(0, random.Next(1, 5)).Select(
                    _ => new HardwareBreakpoint(new((ulong)random.Next(0x3000) & ~7ul), kinds[random.Next(3)], 1)),
            ]);
        }

        foreach (VcpuCapability capability in (ReadOnlySpan<VcpuCapability>)
            [VcpuCapability.MonitorTrapExit, VcpuCapability.PauseExit, VcpuCapability.BreakpointExit])
        {
            cpu.SetCapability(capability, random.Next(16) == 0);
        }
    }

    private static void EnterLongMode(IBackendVcpu cpu)
    {
        cpu.SetRegister(RegisterName.Cr4, 0x6a0);
        cpu.SetRegister(RegisterName.Efer, 0xd01);
        cpu.SetRegister(RegisterName.Cr0, 0x80010031);
        cpu.SetSegmentDescriptor(RegisterName.Cs, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xa09b)));
        cpu.SetSegmentDescriptor(RegisterName.Ss, new SegmentDescriptor(0, uint.MaxValue, new SegmentAccess(0xc093)));
    }

    private static ulong Value(Random random) => random.Next(4) switch
    {
        0 => (ulong)random.NextInt64(),
        1 => (ulong)random.NextInt64() | 0xffff_8000_0000_0000,
        2 => (ulong)random.Next(16),
        _ => (ulong)random.Next((int)BackendGuest.MemoryLength),
    };

    /// <summary>Goes on with a guest as somebody would who answers at random.</summary>
    /// <returns>Whether it can go on.</returns>
    private static bool Answer(Random random, IBackendVcpu cpu, in VmExit exit)
    {
        switch (exit.Code)
        {
            case ExitCode.Shutdown or ExitCode.InstructionEmulation or ExitCode.InternalError:
                return false;
            case ExitCode.Hlt:
                if (cpu.IsReadyForInterrupt)
                {
                    cpu.InjectInterrupt((byte)random.Next(256));
                }
                else
                {
                    cpu.InjectNmi();
                }

                return true;
            default:
                if (exit.IsPending && random.Next(8) == 0)
                {
                    cpu.Discard();
                    cpu.SetRegister(RegisterName.Rip, cpu.GetRegister(RegisterName.Rip) + 2);
                }
                else if (exit.IsPending)
                {
                    cpu.Fulfill((ulong)random.NextInt64(), random.Next(4) == 0 ? MsrOutcome.GeneralProtection : MsrOutcome.Handled);
                }

                cpu.InterruptWindowRequested = random.Next(8) == 0;
                return true;
        }
    }
}
