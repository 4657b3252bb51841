// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>Instructions of up to and over 15 bytes that end at, before and behind the last byte in front of a missing page, against the processor.</summary>
[Category("Kvm")]
[NonParallelizable]
public sealed class FetchOracleTests
{
    private const byte Filler = 0x66;

    [Test]
    public void Long_instructions_at_the_end_of_a_page_behave_as_on_the_processor([Values("90", "89D8", "0F1F00", "0F04")] string opcode)
    {
        using OracleGuest guest = new();
        CpuState state = HostCpu.CreateState();
        state.Xcr0 = guest.Xcr0;
        byte[] initial = OracleLayout.CreateMemory(OracleMode.User64);
        List<string> differences = [];
        HashSet<int> ends = [];
        for (int prefixes = 10; prefixes <= 16; prefixes++)
        {
            byte[] code = [.. Enumerable.Repeat(Filler, prefixes), .. Convert.FromHexString(opcode)];
            for (int room = 1; room <= code.Length + 1; room++)
            {
                byte[] memory = (byte[])initial.Clone();
                code.AsSpan(0, Math.Min(room, code.Length)).CopyTo(memory.AsSpan(OracleLayout.CodeEnd - room));
                string? difference = Compare(guest, state, memory, (ulong)(OracleLayout.CodeEnd - room));
                ends.Add(OracleEnd.Vector(state.Rip));
                if (difference is not null)
                {
                    differences.Add(string.Create(CultureInfo.InvariantCulture, $"{prefixes} prefixes, {room} bytes in front of the page: {difference}"));
                }
            }
        }

        differences.Should().BeEmpty();
        ends.Should().Contain([KvmDifferences.GeneralProtection, KvmDifferences.PageFault], "some are too long, and some lack their end");
    }

    private static string? Compare(OracleGuest guest, CpuState state, byte[] memory, ulong rip)
    {
        OracleLayout.Enter(state, OracleMode.User64);
        for (int register = 0; register < 16; register++)
        {
            state.General[register] = (ulong)(OracleLayout.Data + 0x800);
        }

        state.Rip = rip;
        state.Rflags = 0x202;
        memory.CopyTo(guest.Memory);
        OracleExit theirs = guest.Run(state);
        Ports ports = new();
        FlatCpu cpu = new(state, memory, ports);
        state.FlushTranslations();
        for (int step = 0; step < 4 && !ports.IsDone; step++)
        {
            _ = Executor.Run(ref cpu, 1, deliver: true, out _);
        }

        return theirs != OracleExit.Port ? $"ended with {theirs}"
            : OracleComparison.Difference(guest, state, memory, default, 0, 0)?.Text;
    }

    private sealed class Ports : FlatDevices
    {
        internal bool IsDone { get; private set; }

        public override BusOutcome WritePort(ushort port, ReadOnlySpan<byte> data)
        {
            IsDone |= port == OracleLayout.Port;
            return BusOutcome.Done;
        }
    }
}
