// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Tests.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>Other ends that an oracle accepts are those that it says, on whatever host.</summary>
public sealed class OracleAlternativeTests
{
    private const ulong Absent = 0x10_0000;

    [TestCase("A4", 2U)]
    [TestCase("F366A5", 2U)]
    [TestCase("A6", 0U)]
    [TestCase("F348A7", 0U)]
    public void Fault_of_the_destination_takes_the_place_of_that_of_the_source(string code, uint error)
    {
        FlatMachine machine = Create(code, Absent, Absent + 0x1000, out OracleEnd end);
        FlatCpu cpu = new(machine.State, machine.Bytes, machine);

        OracleAlternative.FaultOfDestination(ref cpu, machine.Bytes, in end).Should().BeTrue();

        (machine.State.Cr2, machine.State.Rip).Should().Be((Absent + 0x1000, FlatMachine.Handler + 14 * 16));
        machine.Read64(machine.State.General[4]).Should().Be(error, "the destination of MOVS is written, that of CMPS read");
        machine.Memory.Slice((int)FlatMachine.Code, code.Length / 2).SequenceEqual(Convert.FromHexString(code)).Should().BeTrue("the code is as it was");
    }

    [TestCase("F3A4")]
    [TestCase("F3A6")]
    public void There_is_no_other_end_where_the_destination_is_accessible(string code)
    {
        FlatMachine machine = Create(code, Absent, 0x5_0000, out OracleEnd end);
        FlatCpu cpu = new(machine.State, machine.Bytes, machine);

        OracleAlternative.FaultOfDestination(ref cpu, machine.Bytes, in end).Should().BeFalse();
    }

    [Test]
    public void Interpreter_traps_behind_all_elements()
    {
        // rep stosb with TF
        FlatMachine machine = Create("F3AA", 0, 0x5_0000, out OracleEnd end);
        machine.State.Rflags |= 0x100;
        FlatCpu cpu = new(machine.State, machine.Bytes, machine);

        OracleAlternative.AsInterpreted(ref cpu, machine.Bytes, in end).Should().BeTrue();

        (machine.State.General[1], machine.State.General[7], machine.State.Rip).Should().Be((0UL, 0x5_0004UL, FlatMachine.Handler + 16));
        machine.Read64(machine.State.General[4] + 16).Should().Be(0x102, "the frame has TF");
    }

    /// <summary>Pages from 1 MiB on are absent.</summary>
    private static FlatMachine Create(string code, ulong source, ulong destination, out OracleEnd end)
    {
        FlatMachine machine = FlatMachine.Long();
        machine.Write64(0xE000, 0xF007);
        for (int page = 0; page < 256; page++)
        {
            machine.Write64(0xF000 + page * 8, (ulong)page << 12 | 7);
        }

        byte[] bytes = Convert.FromHexString(code);
        machine.Load(bytes);
        machine.State.Rflags = 2;
        machine.State.General[1] = 4;
        machine.State.General[6] = source;
        machine.State.General[7] = destination;
        machine.State.FlushTranslations();
        Decoder.Decode(bytes, CodeSize.Bits64, out Instruction instruction);
        end = new(instruction, bytes, OracleMode.User64, OracleAspect.Cr2) { Start = FlatMachine.Code };
        return machine;
    }
}
