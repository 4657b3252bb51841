// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Registers;
using Vmm.Engine;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Guest;

/// <summary>
/// The time-stamp counter as its register and as RDTSC show it to a guest. On a host that takes no offset writes succeed and do nothing (a
/// PVM host), and the counter is the host's.
/// </summary>
[TestFixture(Backends.Kvm, Category = "Kvm")]
[TestFixture(Backends.Software)]
public sealed class TscGuestTests(string kind)
{
    private const uint Counter = 0x10;
    private const uint Adjustment = 0x3b;
    private const ulong Ahead = 1ul << 52;

    private readonly List<ulong> _seen = [];

    [Test]
    public void Register_reads_between_two_RDTSC()
    {
        using LongModeMachine guest = Create();
        Execute(guest, a =>
        {
            ReadCounter(a, r12);
            ReadRegister(a, Counter, r13);
            ReadCounter(a, r14);
        });

        _seen.Should().BeInAscendingOrder();
        _seen[0].Should().BeLessThan(_seen[2]);
    }

    [Test]
    public void Counter_goes_on_from_what_is_written()
    {
        bool takes = WriteAndRead(Counter);

        _seen.Should().BeInAscendingOrder();
        _seen.Should().OnlyContain(value => value >= Ahead == takes);
    }

    [Test]
    public void Adjustment_moves_the_counter()
    {
        bool takes = WriteAndRead(Adjustment);

        _seen[1].Should().Be(Ahead, "the register has what was written");
        (_seen[0] >= Ahead, _seen[2] >= Ahead).Should().Be((takes, takes));
    }

    /// <summary>A guest writes a register ahead, then reads the counter, the register and the counter.</summary>
    /// <returns>Whether the host lets the counter be moved.</returns>
    private bool WriteAndRead(uint register)
    {
        using LongModeMachine guest = Create();
        bool takes = guest.Cpu.TakesTscOffset;
        Execute(guest, a =>
        {
            WriteRegister(a, register, Ahead);
            ReadCounter(a, r12);
            ReadRegister(a, register, r13);
            ReadCounter(a, r14);
        });
        return takes;
    }

    private LongModeMachine Create() => new(
        Backends.Open(kind), Backends.DefaultMode(kind), configure: options => options with { EngineMsrs = true });

    private void Execute(LongModeMachine guest, Action<Assembler> code)
    {
        guest.Assemble(code);
        guest.RunToEnd();
        VirtualCpu cpu = guest.Cpu;
        _seen.Clear();
        _seen.AddRange([cpu.GetRegister(RegisterName.R12), cpu.GetRegister(RegisterName.R13), cpu.GetRegister(RegisterName.R14)]);
    }

    private static void ReadCounter(Assembler a, AssemblerRegister64 into)
    {
        a.rdtsc();
        Combine(a, into);
    }

    private static void ReadRegister(Assembler a, uint index, AssemblerRegister64 into)
    {
        a.mov(ecx, index);
        a.rdmsr();
        Combine(a, into);
    }

    private static void WriteRegister(Assembler a, uint index, ulong value)
    {
        a.mov(ecx, index);
        a.mov(eax, (uint)value);
        a.mov(edx, (uint)(value >> 32));
        a.wrmsr();
    }

    private static void Combine(Assembler a, AssemblerRegister64 into)
    {
        a.shl(rdx, 32);
        a.mov(into, rdx);
        a.or(into, rax);
    }
}
