// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

/// <summary>
/// Pending exits of a backend's vCPU: answers, completion, fragments, held-back register writes and discarding.
/// </summary>
internal abstract class VcpuPendingConformance
{
    /// <summary>The first address behind the guest's memory.</summary>
    private const ulong Mmio = BackendGuest.MemoryLength;

    /// <summary>A guest in real mode with flat segments at 0, in front of the code.</summary>
    private BackendGuest RealMode(ReadOnlySpan<byte> code)
    {
        BackendGuest guest = CreateGuest();
        guest.BeginRealMode(code);
        return guest;
    }

    /// <summary>A guest in 64-bit kernel mode, in front of the code.</summary>
    private BackendGuest LongMode(ReadOnlySpan<byte> code)
    {
        BackendGuest guest = CreateGuest();
        guest.BeginLongMode(code);
        return guest;
    }

    /// <summary>Makes a guest of the backend, or ends the test with the reason why not.</summary>
    protected abstract BackendGuest CreateGuest();

    [Test]
    public void An_answered_input_merges_into_the_low_byte_and_keeps_the_rest_of_rax()
    {
        // mov rax,0x1122334455667788; in al,0x42; hlt
        using BackendGuest guest = LongMode(
            [0x48, 0xb8, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0xe4, 0x42, 0xf4]);

        VmExit exit = guest.Run();
        exit.Code.Should().Be(ExitCode.Inout);
        exit.Port.Should().Be(new PortExit(0x42, 1, PortFlags.In, 1, 0));
        exit.Rip.Should().Be(BackendGuest.CodeAddress + 10);
        exit.RipPosition.Should().Be(RipPosition.AtInstruction);
        guest.Cpu.Pending.Should().Be(PendingOperation.Exit);
        guest.Cpu.Fulfill(0xab);
        guest.Cpu.Pending.Should().Be(PendingOperation.Answered);

        guest.Run().Code.Should().Be(ExitCode.Hlt);
        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(0x11223344556677abul);
        guest.Cpu.Pending.Should().Be(PendingOperation.None);
    }

    [Test]
    public void A_run_with_an_unanswered_exit_is_refused()
    {
        using BackendGuest guest = LongMode([0xe4, 0x42, 0xf4]); // in al,0x42; hlt
        guest.Run();

        Action run = () => guest.Run();
        run.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EBUSY);
        Action complete = () => guest.Complete();
        complete.Should().Throw<VmmException>().Which.Error.Should().Be(VmmError.EBUSY);
    }

    [TestCase((byte)0xe6, 1, 0x88u)]
    [TestCase((byte)0xe7, 4, 0x55667788u)]
    public void An_output_carries_its_value(byte opcode, int bytes, uint value)
    {
        // mov eax,0x55667788; out 0x42,al or eax; hlt
        using BackendGuest guest = LongMode([0xb8, 0x88, 0x77, 0x66, 0x55, opcode, 0x42, 0xf4]);

        VmExit exit = guest.Run();
        exit.Port.Should().Be(new PortExit(0x42, (byte)bytes, PortFlags.None, 1, value));
        exit.RipPosition.Should().BeOneOf(RipPosition.AtOrAfterInstruction, RipPosition.AtInstruction);
        guest.Cpu.Fulfill();
        guest.Complete().Should().BeTrue();
        guest.Cpu.GetRegister(RegisterName.Rip).Should().Be(BackendGuest.CodeAddress + 7);
        guest.Run().Code.Should().Be(ExitCode.Hlt);
    }

    [Test]
    public void A_string_input_of_several_pages_arrives_whole()
    {
        const int Length = 3 * 4096;

        // mov edi,0x20000; mov ecx,0x3000; mov dx,0x42; rep insb; hlt
        using BackendGuest guest = LongMode(
            [0xbf, 0, 0, 2, 0, 0xb9, 0, 0x30, 0, 0, 0x66, 0xba, 0x42, 0, 0xf3, 0x6c, 0xf4]);
        int sent = 0;
        int exits = 0;
        while (guest.Run().Code == ExitCode.Inout)
        {
            exits++;
            guest.Exit.Port.IsIn.Should().BeTrue();
            Span<byte> data = guest.Cpu.ExitData;
            data.Length.Should().Be((int)guest.Exit.Port.Count);
            foreach (ref byte element in data)
            {
                element = (byte)(sent++ * 7);
            }

            guest.Cpu.Fulfill(guest.Exit.Port.Count == 1 ? data[0] : 0ul);
        }

        guest.Exit.Code.Should().Be(ExitCode.Hlt);
        sent.Should().Be(Length);
        exits.Should().BeGreaterThan(3);
        guest.MemoryAt(BackendGuest.DataAddress, Length).ToArray()
            .Should().Equal(Enumerable.Range(0, Length).Select(i => (byte)(i * 7)));
        guest.Cpu.GetRegister(RegisterName.Rdi).Should().Be(BackendGuest.DataAddress + Length);
        guest.Cpu.GetRegister(RegisterName.Rcx).Should().Be(0);
    }

    [Test]
    public void A_string_output_of_several_pages_is_seen_whole()
    {
        const int Length = 2 * 4096;

        // mov esi,0x20000; mov ecx,0x2000/2; mov dx,0x42; rep outsw; hlt
        using BackendGuest guest = LongMode(
            [0xbe, 0, 0, 2, 0, 0xb9, 0, 0x10, 0, 0, 0x66, 0xba, 0x42, 0, 0xf3, 0x66, 0x6f, 0xf4]);
        byte[] expected = [.. Enumerable.Range(0, Length).Select(i => (byte)(i * 5))];
        expected.CopyTo(guest.MemoryAt(BackendGuest.DataAddress, Length));
        List<byte> seen = [];
        while (guest.Run().Code == ExitCode.Inout)
        {
            guest.Exit.Port.Bytes.Should().Be(2);
            seen.AddRange(guest.Cpu.ExitData);
            guest.Cpu.Fulfill();
        }

        guest.Exit.Code.Should().Be(ExitCode.Hlt);
        seen.Should().Equal(expected);
    }

    [Test]
    public void A_read_that_crosses_a_page_comes_in_fragments()
    {
        // mov rax,[0x200ffc]; hlt
        using BackendGuest guest = LongMode([0x48, 0x8b, 0x04, 0x25, 0xfc, 0x0f, 0x20, 0, 0xf4]);

        guest.Run().Mmio.Should().Be(new MmioExit(new(Mmio + 0xffc), 4, true, 0));
        guest.Exit.RipPosition.Should().Be(RipPosition.AtInstruction);
        guest.Cpu.Fulfill(0x44332211);
        guest.Complete().Should().BeFalse("the second half is still to be read");
        guest.Exit.Mmio.Should().Be(new MmioExit(new(Mmio + 0x1000), 4, true, 0));
        guest.Cpu.GetRegister(RegisterName.Rip).Should().Be(BackendGuest.CodeAddress);
        guest.Cpu.Fulfill(0x88776655);
        guest.Complete().Should().BeTrue();

        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(0x8877665544332211ul);
        guest.Cpu.GetRegister(RegisterName.Rip).Should().Be(BackendGuest.CodeAddress + 8);
        guest.Run().Code.Should().Be(ExitCode.Hlt);
    }

    [Test]
    public void A_write_that_crosses_a_page_comes_in_fragments()
    {
        // mov [0x200ffc],rax; hlt
        using BackendGuest guest = LongMode([0x48, 0x89, 0x04, 0x25, 0xfc, 0x0f, 0x20, 0, 0xf4]);
        guest.Cpu.SetRegister(RegisterName.Rax, 0x8877665544332211);

        guest.Run().Mmio.Should().Be(new MmioExit(new(Mmio + 0xffc), 4, false, 0x44332211));
        guest.Cpu.Fulfill();
        guest.Run().Mmio.Should().Be(new MmioExit(new(Mmio + 0x1000), 4, false, 0x88776655));
        guest.Exit.Rip.Should().Be(
            guest.Exit.RipPosition == RipPosition.AfterInstruction ? BackendGuest.CodeAddress + 8 : BackendGuest.CodeAddress);
        guest.Cpu.Fulfill();
        guest.Run().Code.Should().Be(ExitCode.Hlt);
    }

    [Test]
    public void Msr_exits_are_answered_by_user_space()
    {
        // mov ecx,0x4b4d0000; rdmsr; wrmsr; hlt
        using BackendGuest guest = LongMode(
            [0xb9, 0, 0, 0x4d, 0x4b, 0x0f, 0x32, 0x0f, 0x30, 0xf4]);

        guest.Run().Code.Should().Be(ExitCode.Rdmsr);
        guest.Exit.Msr.Should().Be(new MsrExit(new MsrIndex(0x4b4d0000), 0));
        guest.Cpu.Fulfill(0x1122334455667788);
        guest.Run().Code.Should().Be(ExitCode.Wrmsr);
        guest.Exit.Msr.Should().Be(new MsrExit(new MsrIndex(0x4b4d0000), 0x1122334455667788));
        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(0x55667788);
        guest.Cpu.GetRegister(RegisterName.Rdx).Should().Be(0x11223344);
        guest.Cpu.Fulfill();
        guest.Run().Code.Should().Be(ExitCode.Hlt);
    }

    [Test]
    public void A_refused_msr_faults_the_guest()
    {
        // mov ecx,0x4b4d0000; rdmsr; hlt, with the handler of #GP at 0x1100: mov al,13; out 0x42,al; hlt
        using BackendGuest guest = RealMode(
            [0x66, 0xb9, 0, 0, 0x4d, 0x4b, 0x0f, 0x32, 0xf4]);
        BinaryPrimitives.WriteUInt32LittleEndian(guest.MemoryAt(13 * 4, 4), 0x00001100);
        ((ReadOnlySpan<byte>)[0xb0, 13, 0xe6, 0x42, 0xf4]).CopyTo(guest.MemoryAt(0x1100, 5));

        guest.Run().Code.Should().Be(ExitCode.Rdmsr);
        guest.Cpu.Fulfill(0, MsrOutcome.GeneralProtection);
        guest.Run().Port.Eax.Should().Be(13);
    }

    [Test]
    public void Registers_written_while_a_read_is_pending_take_effect_after_it()
    {
        // mov eax,0x11; in al,0x42; hlt; at 0x1100: hlt
        using BackendGuest guest = LongMode([0xb8, 0x11, 0, 0, 0, 0xe4, 0x42, 0xf4]);
        guest.MemoryAt(0x1100, 1)[0] = 0xf4;
        guest.Run();

        guest.Cpu.SetRegister(RegisterName.Rbx, 0x77);
        guest.Cpu.SetRegister(RegisterName.Rip, 0x1100);
        guest.Cpu.GetRegister(RegisterName.Rbx).Should().Be(0x77, "a held-back write is read back");
        guest.Cpu.Fulfill(0x99);
        guest.Run().Code.Should().Be(ExitCode.Hlt);

        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(0x99, "the data that was read is not lost");
        guest.Cpu.GetRegister(RegisterName.Rbx).Should().Be(0x77);
        guest.Cpu.GetRegister(RegisterName.Rip).Should().Be(0x1101);
    }

    [Test]
    public void Registers_written_while_a_write_is_pending_take_effect()
    {
        // out 0x42,al; hlt
        using BackendGuest guest = LongMode([0xe6, 0x42, 0xf4]);
        guest.Run();

        guest.Cpu.SetRegister(RegisterName.Rcx, 0x1234);
        guest.Cpu.Fulfill();
        guest.Run().Code.Should().Be(ExitCode.Hlt);

        guest.Cpu.GetRegister(RegisterName.Rcx).Should().Be(0x1234);
        guest.Cpu.GetRegister(RegisterName.Rip).Should().Be(BackendGuest.CodeAddress + 3);
    }

    [Test]
    public void A_discarded_input_leaves_the_state_of_its_exit()
    {
        // mov eax,0x55; in al,0x42; hlt
        using BackendGuest guest = LongMode([0xb8, 0x55, 0, 0, 0, 0xe4, 0x42, 0xf4]);
        guest.Run();
        GeneralRegisters before = guest.Cpu.GeneralRegisters;

        guest.Cpu.Discard();
        guest.Cpu.Pending.Should().Be(PendingOperation.None);
        guest.Cpu.GeneralRegisters.Should().Be(before);

        guest.Run().Port.Port.Should().Be(0x42, "the guest executes the instruction anew");
        guest.Cpu.SetRegister(RegisterName.Rip, BackendGuest.CodeAddress + 7);
        guest.Cpu.Discard();
        guest.Run().Code.Should().Be(ExitCode.Hlt);
        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(0x55);
    }

    [Test]
    public void A_discarded_read_in_fragments_leaves_the_state_of_its_exit()
    {
        // mov rax,[0x200ffc]; hlt
        using BackendGuest guest = LongMode([0x48, 0x8b, 0x04, 0x25, 0xfc, 0x0f, 0x20, 0, 0xf4]);
        guest.Cpu.SetRegister(RegisterName.Rax, 0x1234);
        guest.Run();

        guest.Cpu.Discard();
        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(0x1234);
        guest.Cpu.GetRegister(RegisterName.Rip).Should().Be(BackendGuest.CodeAddress);
        guest.Cpu.SetRegister(RegisterName.Rip, BackendGuest.CodeAddress + 8);
        guest.Run().Code.Should().Be(ExitCode.Hlt);
        guest.Cpu.GetRegister(RegisterName.Rax).Should().Be(0x1234);
    }

    [TestCase(false)]
    [TestCase(true)]
    public void A_discarded_string_input_does_not_change_memory(bool downwards)
    {
        // std or cld; mov edi,0x22000; mov ecx,0x600; mov dx,0x42; rep insb; hlt
        using BackendGuest guest = LongMode(
            [downwards ? (byte)0xfd : (byte)0xfc, 0xbf, 0, 0x20, 2, 0, 0xb9, 0, 6, 0, 0, 0x66, 0xba, 0x42, 0, 0xf3, 0x6c, 0xf4]);
        Span<byte> area = guest.MemoryAt(BackendGuest.DataAddress, 0x4000);
        area.Fill(0xee);
        guest.Run().Code.Should().Be(ExitCode.Inout);
        GeneralRegisters before = guest.Cpu.GeneralRegisters;

        guest.Cpu.Discard();

        guest.Cpu.GeneralRegisters.Should().Be(before);
        area.IndexOfAnyExcept((byte)0xee).Should().Be(-1);
    }

    [Test]
    public void A_discarded_string_read_from_a_device_does_not_change_memory()
    {
        // mov esi,0x200000; mov edi,0x20000; mov ecx,0x10; rep movsq; hlt
        using BackendGuest guest = LongMode(
            [0xbe, 0, 0, 0x20, 0, 0xbf, 0, 0, 2, 0, 0xb9, 0x10, 0, 0, 0, 0xf3, 0x48, 0xa5, 0xf4]);
        Span<byte> area = guest.MemoryAt(BackendGuest.DataAddress, 0x1000);
        area.Fill(0xee);
        guest.Run().Code.Should().Be(ExitCode.Mmio);
        GeneralRegisters before = guest.Cpu.GeneralRegisters;

        guest.Cpu.Discard();

        guest.Cpu.GeneralRegisters.Should().Be(before);
        area.IndexOfAnyExcept((byte)0xee).Should().Be(-1);
    }

    [Test]
    public void A_discarded_msr_access_leaves_the_state_of_its_exit()
    {
        // mov ecx,0x4b4d0000; rdmsr; hlt
        using BackendGuest guest = LongMode([0xb9, 0, 0, 0x4d, 0x4b, 0x0f, 0x32, 0xf4]);
        guest.Cpu.SetRegister(RegisterName.Rdx, 0x1234);
        guest.Run();

        guest.Cpu.Discard();
        guest.Cpu.GetRegister(RegisterName.Rdx).Should().Be(0x1234);
        guest.Cpu.GetRegister(RegisterName.Rip).Should().Be(BackendGuest.CodeAddress + 5);
    }

    [Test]
    public void A_discarded_write_is_forgotten()
    {
        // mov [0x200ffc],rax; hlt
        using BackendGuest guest = LongMode([0x48, 0x89, 0x04, 0x25, 0xfc, 0x0f, 0x20, 0, 0xf4]);
        guest.Run().Code.Should().Be(ExitCode.Mmio);

        guest.Cpu.Discard();
        guest.Cpu.Pending.Should().Be(PendingOperation.None);
        bool isBehind = guest.Exit.RipPosition == RipPosition.AfterInstruction;
        guest.Run().Code.Should().Be(isBehind ? ExitCode.Hlt : ExitCode.Mmio, "the guest goes on where the exit showed it");
    }
}
