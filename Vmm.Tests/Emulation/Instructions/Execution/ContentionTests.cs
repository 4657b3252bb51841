// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Execution;
using Vmm.Tests.Support;

namespace Vmm.Tests.Emulation.Instructions.Execution;

/// <summary>Two CPUs over one memory: what LOCK promises.</summary>
public sealed class ContentionTests
{
    private const int Rounds = 30_000;

    [TestCase(new byte[] { 0xF0, 0xFF, 0x06, 0xFF, 0xC9, 0x75, 0xF9, 0xF4 }, 0x4_0000, TestName = "Lock_inc")]
    [TestCase(new byte[] { 0xF0, 0xFF, 0x06, 0xFF, 0xC9, 0x75, 0xF9, 0xF4 }, 0x4_003E, TestName = "Lock_inc_across_a_cache_line")]
    [TestCase(new byte[] { 0xF0, 0xFF, 0x06, 0xFF, 0xC9, 0x75, 0xF9, 0xF4 }, 0x4_0FFE, TestName = "Lock_inc_across_a_page")]
    [TestCase(new byte[] { 0xF0, 0x0F, 0xC1, 0x06, 0xB8, 1, 0, 0, 0, 0xFF, 0xC9, 0x75, 0xF3, 0xF4 }, 0x4_0000, TestName = "Lock_xadd")]
    public void Locked_counters_lose_nothing(byte[] code, int counter)
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Load(code);

        RunBoth(machine, state =>
        {
            state.General[0] = 1;
            state.General[1] = Rounds;
            state.General[6] = (ulong)counter;
        });

        BitConverter.ToUInt32(machine.Memory[counter..]).Should().Be(2 * Rounds);
    }

    /// <summary>The host's own instruction would be a split lock there, for which Linux may end the process.</summary>
    [TestCase(new byte[] { 0xF0, 0xFF, 0x06 }, TestName = "Lock_inc_across_a_cache_line_is_no_split_lock")]
    [TestCase(new byte[] { 0x87, 0x06 }, TestName = "Xchg_across_a_cache_line_is_no_split_lock")]
    [TestCase(new byte[] { 0xF0, 0x0F, 0xC7, 0x0E }, TestName = "Lock_cmpxchg8b_across_a_cache_line_is_no_split_lock")]
    public void Access_across_a_cache_line_is_no_split_lock(byte[] code)
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Load(code);
        machine.State.General[6] = 0x4_003E;

        // Once before, so that the thread has nothing else to wait for.
        machine.Run(1);
        machine.State.Rip = FlatMachine.Code;
        Background run;
        lock (machine.ExclusiveLock)
        {
            run = Background.Start(() => machine.Run(1));
            Background.Until(() => run.IsWaiting || run.IsFinished);

            run.IsFinished.Should().BeFalse("it waits until it has memory to itself");
        }

        run.Join();
        machine.State.Rip.Should().Be(FlatMachine.Code + (ulong)code.Length);
    }

    [Test]
    public void Cmpxchg16b_loses_nothing()
    {
        // next: mov rax,[rsi]; mov rdx,[rsi+8]; again: lea rbx,[rax+1]; lea rcx,[rdx+1]; lock cmpxchg16b [rsi]; jnz again; dec rdi; jnz next; hlt
        FlatMachine machine = FlatMachine.Long();
        machine.Load(
            0x48, 0x8B, 0x06, 0x48, 0x8B, 0x56, 0x08, 0x48, 0x8D, 0x58, 0x01, 0x48, 0x8D, 0x4A, 0x01, 0xF0, 0x48, 0x0F, 0xC7, 0x0E,
            0x75, 0xF1, 0x48, 0xFF, 0xCF, 0x75, 0xE5, 0xF4);

        RunBoth(machine, static state =>
        {
            state.General[6] = 0x4_0000;
            state.General[7] = Rounds;
        });

        (machine.Read64(0x4_0000), machine.Read64(0x4_0008)).Should().Be(((ulong)(2 * Rounds), (ulong)(2 * Rounds)));
    }

    private static void RunBoth(FlatMachine machine, Action<CpuState> prepare)
    {
        FlatMachine other = FlatMachine.Long();
        ExecutionStatus[] statuses = new ExecutionStatus[2];
        CpuState[] states = [machine.State, other.State];
        Thread[] threads = new Thread[2];
        for (int n = 0; n < 2; n++)
        {
            int index = n;
            prepare(states[index]);
            threads[index] = new Thread(() =>
            {
                FlatCpu cpu = new(states[index], machine.Bytes, machine);
                statuses[index] = Executor.Run(ref cpu, 50_000_000, deliver: false, out _).Status;
            });
        }

        Array.ForEach(threads, static thread => thread.Start());
        Array.ForEach(threads, static thread => thread.Join());
        statuses.Should().AllBeEquivalentTo(ExecutionStatus.Halted);
    }
}
