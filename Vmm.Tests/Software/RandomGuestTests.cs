// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Timers;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>
/// Whole guests of random code and bytes in each mode, with page tables, descriptor tables and task states that lead somewhere or not; with
/// random breakpoints of the guest and of a debugger, steps, translated blocks, and now and then with two processors in one memory. Nothing
/// may come out of the backend but exits, and none may take for ever. Memory beside the guest's cannot be accessed, so an access there
/// would end the tests.
/// </summary>
internal sealed class RandomGuestTests
{
    private const int RunsPerGuest = 250;

    /// <summary>Runs without an exit after which a guest is left alone: it may go on so for ever.</summary>
    private const int QuietRuns = 4;

    private const int MostTranslations = 100;

    /// <summary>A guest that executed as many instructions has come somewhere.</summary>
    private const long Far = 100;

    [Test]
    public void Random_guests_end_in_exits([Values(1, 2, 3, 4)] int seed, [Values] RandomGuestMode mode)
    {
        const int Guests = 40;
        int timed = 0;
        int far = 0;
        for (int number = 0; number < Guests; number++)
        {
            long? executed = Run(seed, number, mode, cpus: number % 8 == 7 ? 2 : 1);
            timed += executed.HasValue ? 1 : 0;
            far += executed >= Far ? 1 : 0;
        }

        TestContext.Progress.WriteLine($"{mode}: {far} of {timed}");

        // So that a guest of the mode does execute in the mode.
        far.Should().BeGreaterThan(timed / (mode == RandomGuestMode.Impossible ? 20 : 4), $"{timed} guests were counted");
    }

    [TestCase(1)]
    [TestCase(2)]
    [Category("Long")]
    [Explicit("takes ten minutes")]
    public void Random_guests_for_ten_minutes(int cpus)
    {
        int seed = int.TryParse(Environment.GetEnvironmentVariable("VMM_STRESS_SEED"), out int given) ? given : Random.Shared.Next();
        TestContext.Progress.WriteLine($"VMM_STRESS_SEED={seed}");
        DateTime end = DateTime.UtcNow.AddMinutes(10);
        RandomGuestMode[] modes = Enum.GetValues<RandomGuestMode>();
        long[] guests = new long[modes.Length];
        long[] instructions = new long[modes.Length];
        for (int number = 0; DateTime.UtcNow < end; number++)
        {
            RandomGuestMode mode = modes[number % modes.Length];
            instructions[(int)mode] += Run(seed, number, mode, cpus) ?? 0;
            guests[(int)mode]++;
        }

        foreach (RandomGuestMode mode in modes)
        {
            TestContext.Progress.WriteLine($"{mode}: {guests[(int)mode]} guests, {instructions[(int)mode]} instructions counted");
        }
    }

    /// <summary>Runs one guest to its end. With time that instructions make, every other time, it says how many there were.</summary>
    private static long? Run(int seed, int number, RandomGuestMode mode, int cpus)
    {
        Random random = new(HashCode(seed, number, (int)mode));
        InstructionTime? time = cpus == 1 && random.Next(4) != 0 ? new InstructionTime(new ManualClock(), 1) : null;
        try
        {
            Run(random, mode, cpus, time);
        }
        catch (Exception failure)
        {
            throw new InvalidOperationException($"guest {number} of seed {seed} in mode {mode} with {cpus} vCPUs", failure);
        }

        return time?.Instructions;
    }

    private static void Run(Random random, RandomGuestMode mode, int cpus, InstructionTime? time)
    {
        SoftwareBackend backend = new(new SoftwareBackendOptions
        {
            Time = time,
            TranslatesAfter = random.Next(16) switch { 0 => 1, 1 => 50, _ => 0 },
        });
        GuestMemoryBlock block = backend.AllocateMemory(BackendGuest.MemoryLength, default);
        IBackendVm vm = backend.CreateVm(
            new BackendVmOptions("fuzz", cpus, InterruptControllerMode.Userspace, false, true, random.Next(2) == 0));
        IDisposable placement = vm.PlaceMemory(new MemoryPlacement(
            GuestPhysicalRange.Create(default, BackendGuest.MemoryLength), block, 0, ReadOnly: false, TrackDirty: random.Next(4) == 0));
        RandomGuest guest = new(random, mode);
        guest.FillMemory(block.GetSpan(0, (int)BackendGuest.MemoryLength));
        IBackendVcpu[] vcpus = [.. Enumerable.Range(0, cpus).Select(number => vm.CreateVcpu(new VcpuId(number)))];
        foreach (IBackendVcpu cpu in vcpus)
        {
            guest.SetRegisters(RegisterSetter.Of(cpu));
            guest.SetDebugging(cpu);

            // On the thread that executes, so that the next execution is the translation's; not too many, as each takes milliseconds.
            int translations = 0;
            ((SoftwareVcpu)cpu).State.TranslationWorker = translate =>
            {
                if (translations++ >= MostTranslations)
                {
                    return false;
                }

                translate();
                return true;
            };
        }

        // Each on a thread of its own, which a run that never ends would keep.
        Random[] answers = [.. vcpus.Select(_ => new Random(random.Next()))];
        Background[] runs = [.. vcpus.Select((cpu, index) => Background.Start(() => RunVcpu(answers[index], cpu)))];
        foreach (Background run in runs)
        {
            run.Join();
        }

        // Not after a failure: a vCPU that has not come to its end still accesses the memory.
        foreach (IDisposable used in (IDisposable[])[.. vcpus, placement, vm, block, backend])
        {
            used.Dispose();
        }
    }

    private static void RunVcpu(Random random, IBackendVcpu cpu)
    {
        VmExit exit = default;
        int quiet = 0;
        for (int run = 0; run < RunsPerGuest && quiet < QuietRuns; run++)
        {
            cpu.Run(ref exit);
            quiet += exit.Code == ExitCode.Bogus ? 1 : 0;
            if (!Answer(random, cpu, exit))
            {
                return;
            }
        }
    }

    /// <summary>The same in every process, as <see cref="System.HashCode"/> is not.</summary>
    private static int HashCode(int seed, int number, int mode) => unchecked((((seed * 486187739) + number) * 486187739) + mode);

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
