// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Timers;
using Vmm.Machine.Board;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>With time that instructions make, two runs of a guest are equal bit for bit.</summary>
internal sealed class InstructionTimeTests
{
    // sti; hlt; rdrand eax; rdtsc; add [0x3000],eax; inc dword [0x3004]; cmp dword [0x3004],50; jb to the first; cli; hlt;
    // with the 8254 at about 1 kHz, and at 0x1100 the handler of its interrupt: mov al,0x20; out 0x20,al; iret
    private static readonly byte[] s_guest =
    [
        0xb0, 0x11, 0xe6, 0x20, 0xe6, 0xa0, 0xb0, 0x20, 0xe6, 0x21, 0xb0, 0x28, 0xe6, 0xa1, 0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x02, 0xe6, 0xa1,
        0xb0, 0x01, 0xe6, 0x21, 0xe6, 0xa1, 0xb0, 0xfe, 0xe6, 0x21, 0xb0, 0xff, 0xe6, 0xa1, 0xb0, 0x34, 0xe6, 0x43, 0xb0, 0xa9, 0xe6, 0x40,
        0xb0, 0x04, 0xe6, 0x40, 0xc7, 0x06, 0x80, 0x00, 0x00, 0x7d, 0xc7, 0x06, 0x82, 0x00, 0x00, 0x00, 0xfb, 0xf4, 0x66, 0x0f, 0xc7, 0xf0,
        0x66, 0x01, 0x06, 0x00, 0x30, 0x0f, 0x31, 0x66, 0x01, 0x06, 0x08, 0x30, 0xff, 0x06, 0x04, 0x30, 0x83, 0x3e, 0x04, 0x30, 0x32, 0x72,
        0xe3, 0xfa, 0xf4,
    ];

    private static readonly byte[] s_handler = [0xb0, 0x20, 0xe6, 0x20, 0xcf];

    [Test]
    public void Two_runs_with_one_seed_are_equal_bit_for_bit()
    {
        (string hash, long instructions, List<string> checkpoints) = Run(seed: 7);
        (string again, long instructionsAgain, List<string> checkpointsAgain) = Run(seed: 7);

        again.Should().Be(hash);
        instructionsAgain.Should().Be(instructions);
        checkpointsAgain.Should().Equal(checkpoints);
        checkpoints.Should().HaveCountGreaterThan(1);
    }

    [Test]
    public void Another_seed_gives_another_run()
    {
        (string hash, _, _) = Run(seed: 7);
        (string other, _, _) = Run(seed: 8);

        other.Should().NotBe(hash);
    }

    [TestCase(new byte[] { 0x0f, 0x31 }, TestName = "Reads_of_the_time_are_exact_by_RDTSC")]
    [TestCase(new byte[] { 0x0f, 0x01, 0xf9, 0x66, 0x90 }, TestName = "Reads_of_the_time_are_exact_by_RDTSCP")]
    [TestCase(new byte[] { 0x66, 0xb9, 0x10, 0, 0, 0, 0x0f, 0x32 }, TestName = "Reads_of_the_time_are_exact_by_RDMSR")]
    public void Reads_of_the_time_are_exact(byte[] read)
    {
        // read; mov esi,eax; 500 times inc di; read; sub eax,esi; hlt
        byte[] between = new byte[500];
        Array.Fill(between, (byte)0x47);
        using BackendGuest guest = new(
            new SoftwareBackend(new SoftwareBackendOptions { Time = new InstructionTime(new ManualClock(), seed: 1) }), cpus: 1);
        guest.BeginRealMode([.. read, 0x66, 0x89, 0xc6, .. between, .. read, 0x66, 0x29, 0xf0, 0xf4]);

        guest.Run().Code.Should().Be(ExitCode.Hlt);

        int readers = read.Length > 4 ? 2 : 1;
        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be((ulong)(501 + readers), "each instruction takes a nanosecond");
    }

    [Test]
    public void It_is_for_one_processor()
    {
        ManualClock clock = new();
        using SoftwareBackend backend = new(new SoftwareBackendOptions { Time = new InstructionTime(clock, 1) });

        Action create = () => PcMachine.Create(backend, new PcOptions
        {
            Cpus = 2,
            InterruptControllerMode = InterruptControllerMode.Userspace,
            Clock = clock,
        });

        create.ShouldFail(VmmError.ENOTSUP);
    }

    private static HashedRun Run(ulong seed) => HashedRun.Run(
        new SoftwareBackendOptions(),
        seed,
        interval: 100,
        machine =>
        {
            machine.LoadFlat(s_guest, new GuestPhysicalAddress(0x7c00), longMode: false);
            machine.Machine.Memory.TryWrite(new GuestPhysicalAddress(0x7d00), s_handler).Should().BeTrue();
        });
}
