// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Kvm;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Guest;

/// <summary>What two processors of a guest see of each other's accesses (Intel SDM volume 3, memory ordering), round by round.</summary>
[TestFixture(Backends.Kvm, Category = "Kvm")]
[TestFixture(Backends.Software)]
public sealed class MemoryOrderTests(string kind)
{
    private const int Rounds = 600;
    private const long First = (long)LongModeMachine.Data;
    private const long Second = First + 0x40;
    private const long Barrier = First + 0x80;
    private const long FirstSaw = First + 0xc0;
    private const long SecondSaw = First + 0x100;
    private const long Violations = First + 0x140;

    private LongModeMachine? _guest;

    private LongModeMachine Guest => _guest!;

    [SetUp]
    public void MakeGuest() => _guest = new LongModeMachine(Backends.Open(kind), cpus: 2);

    [TearDown]
    public void DisposeGuest() => _guest?.Dispose();

    [TestCase("mfence")]
    [TestCase("xchg")]
    [TestCase("lock or")]
    public void Stores_are_seen_by_the_loads_behind_a_barrier(string barrier)
    {
        // Each stores its own and loads the other's: one of them sees the other's store.
        Guest.Assemble(a => Rendezvous(a, First, Second, FirstSaw, barrier, checks: true));
        Guest.Assemble(LongModeMachine.OthersCode, a =>
        {
            Rendezvous(a, Second, First, SecondSaw, barrier, checks: false);
            LongModeMachine.End(a);
        });

        RunBoth();

        Guest.Read64(Violations).Should().Be(0);
        Guest.Read64(Barrier).Should().Be(4 * Rounds, "both were in every round");
    }

    [Test]
    public void Stores_are_seen_in_their_order()
    {
        Guest.Assemble(a =>
        {
            Label again = a.CreateLabel();
            a.mov(ecx, 1);
            a.Label(ref again);
            a.mov(__qword_ptr[First], rcx);
            a.mov(__qword_ptr[Second], rcx);
            a.inc(ecx);
            a.cmp(ecx, Rounds * 20);
            a.jbe(again);
        });
        Guest.Assemble(LongModeMachine.OthersCode, a =>
        {
            Label again = a.CreateLabel();
            Label right = a.CreateLabel();
            a.Label(ref again);
            a.mov(rax, __qword_ptr[Second]);
            a.mov(rbx, __qword_ptr[First]);
            a.cmp(rbx, rax);
            a.jae(right);
            a.inc(__qword_ptr[Violations]);
            a.Label(ref right);
            a.cmp(eax, Rounds * 20);
            a.jb(again);
            LongModeMachine.End(a);
        });

        RunBoth();

        Guest.Read64(Violations).Should().Be(0, "who sees the second store sees the first");
    }

    [TestCase("inc")]
    [TestCase("xadd")]
    [TestCase("cmpxchg")]
    [TestCase("inc across pages")]
    public void Locked_counters_lose_nothing(string instruction)
    {
        const long AcrossPages = First + 0x1000 - 4;
        long counter = instruction == "inc across pages" ? AcrossPages : First;
        if (counter == AcrossPages && kind == Backends.Kvm && KvmHost.Detect() == HostVirtualization.Pvm)
        {
            Assert.Ignore("KVM's emulator, which executes kernel mode here, writes an operand across pages without a lock");
        }

        Guest.Assemble(Count);
        Guest.Assemble(LongModeMachine.OthersCode, a =>
        {
            Count(a);
            LongModeMachine.End(a);
        });

        RunBoth();

        Guest.Read64((ulong)counter).Should().Be(2 * Rounds);

        void Count(Assembler a)
        {
            Label again = a.CreateLabel();
            a.mov(ecx, Rounds);
            a.mov(rdi, counter);
            a.Label(ref again);
            a.nop();
            switch (instruction)
            {
                case "xadd":
                    a.mov(eax, 1);
                    a.@lock.xadd(__[rdi], rax);
                    break;
                case "cmpxchg":
                    Label retry = a.CreateLabel();
                    a.Label(ref retry);
                    a.mov(rax, __[rdi]);
                    a.lea(rdx, __[rax + 1]);
                    a.@lock.cmpxchg(__[rdi], rdx);
                    a.jne(retry);
                    break;
                default:
                    a.@lock.inc(__qword_ptr[rdi]);
                    break;
            }

            a.dec(ecx);
            a.jnz(again);
        }
    }

    [Test]
    public void Code_that_another_processor_changes_is_executed_as_it_is_then()
    {
        // The other one calls a function that returns a number, which this one counts up in the function's immediate operand: numbers
        // never go back, and the last one is seen.
        const ulong Function = LongModeMachine.OthersCode + 0x100;
        const int Last = 200;
        Guest.Assemble(a =>
        {
            Label again = a.CreateLabel();
            Label wait = a.CreateLabel();
            a.mov(ecx, 1);
            a.mov(rdi, (long)Function + 1);
            a.Label(ref again);
            a.mov(__[rdi], ecx);
            a.Label(ref wait);
            a.pause();
            a.cmp(__dword_ptr[First], ecx);
            a.jb(wait);
            a.inc(ecx);
            a.cmp(ecx, Last);
            a.jbe(again);
        });
        Guest.Assemble(LongModeMachine.OthersCode, a =>
        {
            Label again = a.CreateLabel();
            Label right = a.CreateLabel();
            a.xor(ebx, ebx);
            a.Label(ref again);
            a.call(Function);
            a.cmp(eax, ebx);
            a.jae(right);
            a.inc(__qword_ptr[Violations]);
            a.Label(ref right);
            a.mov(ebx, eax);
            a.mov(__dword_ptr[First], eax);
            a.cmp(eax, Last);
            a.jb(again);
            LongModeMachine.End(a);
        });
        Guest.Assemble(Function, a =>
        {
            a.mov(eax, 0);
            a.ret();
        });

        RunBoth();

        Guest.Read64(Violations).Should().Be(0);
        Guest.Read64(First).Should().Be(Last);
    }

    private static void Rendezvous(Assembler a, long own, long others, long saw, string barrier, bool checks)
    {
        Label again = a.CreateLabel();
        Label right = a.CreateLabel();
        a.mov(ecx, 1);
        a.mov(r10d, 2);
        a.Label(ref again);
        Meet(a);
        a.mov(rdx, rcx);
        if (barrier == "xchg")
        {
            a.xchg(__qword_ptr[own], rdx);
        }
        else
        {
            a.mov(__qword_ptr[own], rdx);
        }

        if (barrier == "mfence")
        {
            a.mfence();
        }
        else if (barrier == "lock or")
        {
            a.@lock.or(__dword_ptr[rsp - 64], 0);
        }

        a.mov(rax, __qword_ptr[others]);
        a.mov(__qword_ptr[saw], rax);
        Meet(a);
        if (checks)
        {
            a.cmp(__qword_ptr[FirstSaw], rcx);
            a.jae(right);
            a.cmp(__qword_ptr[SecondSaw], rcx);
            a.jae(right);
            a.inc(__qword_ptr[Violations]);
            a.Label(ref right);
        }

        a.inc(ecx);
        a.cmp(ecx, Rounds);
        a.jbe(again);
    }

    /// <summary>Waits until both are here; R10 is how often the barrier will have been passed then.</summary>
    private static void Meet(Assembler a)
    {
        Label wait = a.CreateLabel();
        Label met = a.CreateLabel();
        a.@lock.inc(__qword_ptr[Barrier]);
        a.Label(ref wait);
        a.cmp(__qword_ptr[Barrier], r10);
        a.jae(met);
        a.pause();
        a.jmp(wait);
        a.Label(ref met);
        a.add(r10, 2);
    }

    private void RunBoth()
    {
        VirtualCpu other = Guest.Machine.GetVcpu(new VcpuId(1));
        VmExit end = default;
        Background second = Background.Start(() => end = other.Run(VmEntry.Default));
        Guest.RunToEnd();
        second.Join();
        end.Code.Should().Be(ExitCode.Inout, $"{end}");
        end.Port.Port.Should().Be(LongModeMachine.EndPort);
    }
}
