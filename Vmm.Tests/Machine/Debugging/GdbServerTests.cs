// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Machine.Board;
using Vmm.Tests.Support;

namespace Vmm.Tests.Machine.Debugging;

/// <summary>The remote protocol, packet by packet, on the processor in software.</summary>
public sealed class GdbServerTests
{
    private GdbMachine? _guest;
    private GdbClient? _gdb;

    private GdbMachine Guest => _guest!;

    private GdbClient Gdb => _gdb!;

    [SetUp]
    public void Connect()
    {
        _guest = new GdbMachine("software");
        _gdb = new GdbClient(Guest.Server.LocalEndPoint);
    }

    [TearDown]
    public void Disconnect()
    {
        _gdb?.Dispose();
        _guest?.Dispose();
    }

    [Test]
    public void Machine_waits_paused_before_its_first_instruction()
    {
        Gdb.Request("?").Should().StartWith("T02thread:");
        Rip().Should().Be(GdbMachine.Start);
        Gdb.Request("qAttached").Should().Be("1");
    }

    [Test]
    public void Features_are_offered_and_the_target_is_described()
    {
        Gdb.Request("qSupported:multiprocess+;swbreak+;hwbreak+").Should().Contain("qXfer:features:read+").And.Contain("QStartNoAckMode+");
        StringBuilder document = new();
        string part;
        do
        {
            part = Gdb.Request($"qXfer:features:read:target.xml:{document.Length:x},fff");
            document.Append(part.AsSpan(1));
        }
        while (part[0] == 'm');

        System.Xml.XmlReaderSettings settings = new() { DtdProcessing = System.Xml.DtdProcessing.Ignore };
        using System.Xml.XmlReader reader = System.Xml.XmlReader.Create(new StringReader(document.ToString()), settings);
        System.Xml.Linq.XDocument xml = System.Xml.Linq.XDocument.Load(reader);
        xml.Descendants("reg").Select(register => (string)register.Attribute("name")!).Should()
            .Contain(["rax", "rip", "eflags", "cs", "st0", "xmm15", "fs_base", "cr3", "efer", "gdtr_base"]);
        Gdb.Request("qXfer:features:read:other.xml:0,fff").Should().Be("E00");
    }

    [Test]
    public void Registers_are_read_and_written_one_by_one_and_together()
    {
        Gdb.Request("P0=8877665544332211").Should().Be("OK");
        Gdb.Request("p0").Should().Be("8877665544332211");
        string all = Gdb.Request("g");
        all.Should().StartWith("8877665544332211");
        Gdb.Request($"G{"0100000000000000"}{all[16..]}").Should().Be("OK");
        Gdb.Request("p0").Should().Be("0100000000000000");
        Gdb.Request("p7f").Should().Be("E01");
        Gdb.Request("G00").Should().Be("E01");
        Gdb.Request("P0=00").Should().Be("E01");
        Gdb.Request("P0").Should().Be("E01");
    }

    [Test]
    public void Every_register_takes_its_own_value_back()
    {
        string all = Gdb.Request("g");
        Gdb.Request($"G{all}").Should().Be("OK");
        Gdb.Request("g").Should().Be(all);
    }

    [Test]
    public void Vector_and_stack_registers_are_written_through_the_image()
    {
        const int Xmm0 = 40;
        const int St0 = 24;
        Gdb.Request($"P{Xmm0:x}=000102030405060708090a0b0c0d0e0f").Should().Be("OK");
        Gdb.Request($"p{Xmm0:x}").Should().Be("000102030405060708090a0b0c0d0e0f");
        Gdb.Request($"P{St0:x}=0000000000000080ff3f").Should().Be("OK");
        Gdb.Request($"p{St0:x}").Should().Be("0000000000000080ff3f");
        Gdb.Request($"p{Xmm0:x}").Should().Be("000102030405060708090a0b0c0d0e0f");
    }

    [Test]
    public void Memory_is_read_and_written()
    {
        Gdb.Request("M200000,3:010203").Should().Be("OK");
        Gdb.Request("m200000,4").Should().Be("01020300");
        Gdb.Request("X200004,1:}\u0003").Should().Be("OK", "the escaped byte is #");
        Gdb.Request("m200004,2").Should().StartWith("23");
        Gdb.Request("m7fffffff00000000,4").Should().Be("E0e");
        Gdb.Request("m200000").Should().Be("E01");
        Gdb.Request("m200000,zz").Should().Be("E01");
        Gdb.Request("m0,ffffffff").Should().Be("E01");
        Gdb.Request("M200000,4:01").Should().Be("E01");
    }

    [Test]
    public void Memory_is_read_up_to_where_it_ends()
    {
        Gdb.Request("mfffff0,20").Should().HaveLength(32);
    }

    [Test]
    public void Memory_is_addressed_physically_when_asked_for()
    {
        Gdb.Request("qqemu.PhyMemMode").Should().Be("0");
        Gdb.Request("Qqemu.PhyMemMode:1").Should().Be("OK");
        Gdb.Request("qqemu.PhyMemMode").Should().Be("1");
        Gdb.Request("m100000,1").Should().NotStartWith("E");
        Monitor("physical off").Should().Contain("linear");
    }

    [Test]
    public void Step_and_breakpoint_and_continue()
    {
        Gdb.Request("qSupported:swbreak+");
        Gdb.Request("vCont;s:1").Should().Be("T05thread:1;");
        Rip().Should().BeGreaterThan(GdbMachine.Start).And.BeLessThan(GdbMachine.Start + 16);
        string code = Gdb.Request($"m{GdbMachine.Function:x},4");
        Gdb.Request($"Z0,{GdbMachine.Function:x},1").Should().Be("OK");
        Gdb.Request($"m{GdbMachine.Function:x},4").Should().Be(code, "a breakpoint does not show");

        Gdb.Request("vCont;c").Should().Be("T05thread:1;swbreak:;");

        Rip().Should().Be(GdbMachine.Function);
        Gdb.Request($"m{GdbMachine.Stored:x},8").Should().Be("8877665544332211");
        Gdb.Request($"z0,{GdbMachine.Function:x},1").Should().Be("OK");
        Gdb.Request("s").Should().StartWith("T05thread:1;");
        Rip().Should().Be(GdbMachine.Function + 4);
    }

    [Test]
    public void Second_vCPU_is_a_thread_and_can_run_alone()
    {
        Gdb.Request("qfThreadInfo").Should().Be("m1,2");
        Gdb.Request("qsThreadInfo").Should().Be("l");
        Gdb.Request("T2").Should().Be("OK");
        Gdb.Request("T3").Should().Be("E01");
        Gdb.Request("Hg2").Should().Be("OK");
        Gdb.Request("Hg9").Should().Be("E01");
        Gdb.Request("qThreadExtraInfo,2").Should().Be(Convert.ToHexStringLower("vCPU 1"u8));
        Gdb.Request($"Z0,{GdbMachine.Function:x},1").Should().Be("OK");
        Gdb.Request("vCont;c").Should().StartWith("T05thread:1;");
        Gdb.Request($"z0,{GdbMachine.Function:x},1").Should().Be("OK");
        ulong before = Rip();

        Gdb.Request("vCont;s:2").Should().Be("T05thread:2;");

        Gdb.Request("Hg1").Should().Be("OK");
        Rip().Should().Be(before, "vCPU 0 was to stay");
    }

    [Test]
    public void Interrupt_stops_a_guest_that_runs()
    {
        Gdb.Send("vCont;c");
        Gdb.SendRaw("\u0003");
        Gdb.Receive().Should().StartWith("T02thread:");
        Gdb.Request("p10").Should().NotStartWith("E");
    }

    [Test]
    public void Guests_own_breakpoint_is_the_guests()
    {
        // INT3 without a descriptor table that could take it ends the machine, as on a processor.
        Gdb.Request($"Z0,{GdbMachine.Function + 4:x},1").Should().Be("OK");
        Gdb.Request($"M{GdbMachine.Function:x},1:cc").Should().Be("OK");
        Gdb.Request("vCont;c").Should().Be("W00");
        Guest.End().End.Should().Be(MachineEnd.TripleFault);
    }

    [Test]
    public void Breakpoint_is_met_at_every_address_of_its_code()
    {
        ulong alias = Alias();
        Gdb.Request("qSupported:swbreak+");
        Gdb.Request($"Z0,{alias + GdbMachine.Function:x},1").Should().Be("OK");
        Gdb.Request($"Z0,{GdbMachine.Function:x},1").Should().Be("OK");
        Gdb.Request($"z0,{GdbMachine.Function:x},1").Should().Be("OK");

        Gdb.Request("vCont;c").Should().Be("T05thread:1;swbreak:;");

        Rip().Should().Be(GdbMachine.Function);
        Gdb.Request($"z0,{alias + GdbMachine.Function:x},1").Should().Be("OK");
        Gdb.Request("s").Should().StartWith("T05thread:1;");
        Rip().Should().Be(GdbMachine.Function + 4, "the code is as it was");
    }

    [Test]
    public void Breakpoint_at_a_physical_address_is_met_wherever_its_code_is_mapped()
    {
        ulong alias = Alias();
        Gdb.Request("qSupported:swbreak+");
        Gdb.Request($"P10={Convert.ToHexStringLower(BitConverter.GetBytes(alias + GdbMachine.Start))}").Should().Be("OK");
        Gdb.Request("Qqemu.PhyMemMode:1").Should().Be("OK");
        Gdb.Request($"Z0,{GdbMachine.Function:x},1").Should().Be("OK");
        Gdb.Request("Qqemu.PhyMemMode:0").Should().Be("OK");

        Gdb.Request("vCont;c").Should().Be("T05thread:1;swbreak:;");

        Rip().Should().Be(alias + GdbMachine.Function);
    }

    [TestCase("Z2", "watch", Description = "on writes")]
    [TestCase("Z4", "awatch", Description = "on accesses")]
    public void Watchpoint_is_reported_with_its_address(string packet, string reason)
    {
        Gdb.Request($"{packet},{GdbMachine.Stored:x},8").Should().Be("OK");
        Gdb.Request("vCont;c").Should().StartWith("T05").And.Contain($";{reason}:{GdbMachine.Stored:x};");
        Gdb.Request($"m{GdbMachine.Stored:x},8").Should().Be("8877665544332211");
        Gdb.Request($"z{packet[1]},{GdbMachine.Stored:x},8").Should().Be("OK");
    }

    [Test]
    public void Breakpoint_that_cannot_be_had_is_refused_by_name()
    {
        Gdb.Request("Z2,200000,3").Should().StartWith("E.").And.Contain("does not watch");
        Gdb.Request("Z1,100000,1").Should().Be("OK", "the processor in software has breakpoints on execution");
        Gdb.Request("Z3,200000,4").Should().BeEmpty("x86 has none on reads alone");
        Gdb.Request("Z0,7fffffff00000000,1").Should().Be("E0e");
        Gdb.Request("Z0,zz,1").Should().Be("E01");
        Gdb.Request("Z0").Should().Be("E01");
    }

    [Test]
    public void Unknown_and_malformed_packets_are_answered_and_nothing_breaks()
    {
        Gdb.Request("").Should().BeEmpty();
        Gdb.Request("vMustReplyEmpty").Should().BeEmpty();
        Gdb.Request("!").Should().BeEmpty();
        Gdb.Request("vCont;x:99").Should().Be("E01");
        Gdb.Request("H").Should().Be("E01");
        Gdb.Request("qRcmd,zz").Should().Be("E01");
        Gdb.Request($"m{new string('f', 40)},1").Should().Be("E01");
        Gdb.SendRaw("noise$half$?#3f");
        Gdb.Receive().Should().StartWith("T02");
        Gdb.SendRaw("$?#00");
        Gdb.Read().Should().Be('-');
        Gdb.SendRaw($"${new string('m', 0x5000)}#00");
        Gdb.Read().Should().Be('-');
        Gdb.Request("qC").Should().Be("QC1");
    }

    [Test]
    public void Acknowledgements_end_when_asked_for()
    {
        Gdb.Request("QStartNoAckMode").Should().Be("OK");
        Gdb.Send("qC");
        Gdb.Read().Should().Be('$', "no acknowledgement comes before it");
    }

    [Test]
    public void Monitor_has_commands()
    {
        Monitor("help").Should().Contain("info registers");
        Monitor("info registers").Should().Contain("rip").And.Contain("cr3");
        Monitor("info vcpus").Should().Contain("vCPU 1");
        Monitor("info features").Should().Contain("SingleStep");
        Monitor("xp 100000 4").Should().StartWith("0000000000100000: ");
        Monitor("xp zz").Should().Contain("ADDRESS");
        Monitor("dance").Should().Contain("not a command");
    }

    [Test]
    public void Debugger_that_detaches_leaves_the_guest_running_without_breakpoints()
    {
        Gdb.Request($"Z0,{GdbMachine.Function:x},1").Should().Be("OK");
        Gdb.Request("D").Should().Be("OK");
        byte[] stored = new byte[8];
        Background.Until(() => Guest.Machine.Machine.Memory.TryRead(new(GdbMachine.Stored), stored) && stored[0] != 0);

        using GdbClient second = new(Guest.Server.LocalEndPoint);
        second.Request("?").Should().StartWith("T02");
        second.Request($"m{GdbMachine.Function:x},1").Should().NotBe("cc");
    }

    [Test]
    public void Debugger_that_is_lost_while_the_guest_runs_leaves_it_running()
    {
        Gdb.Request($"Z0,{GdbMachine.Start + 0x180:x},1").Should().Be("OK");
        Gdb.Send("vCont;c");
        Gdb.Dispose();
        using GdbClient second = new(Guest.Server.LocalEndPoint);
        second.Request("?").Should().StartWith("T02");
        second.Request("D").Should().Be("OK");
    }

    [Test]
    public void Kill_ends_the_machine()
    {
        Gdb.Send("k");
        MachineResult result = Guest.End();
        result.End.Should().Be(MachineEnd.Stopped);
        result.Detail.Should().Contain("debugger");
    }

    [Test]
    public void End_of_the_machine_is_told()
    {
        Gdb.Send("vCont;c");
        Guest.Machine.Stop();
        Gdb.Receive().Should().Be("W00");
        Gdb.Request("g").Should().Be("E01");
        Gdb.Request("?").Should().Be("W00");
    }

    [Test]
    public void Step_behind_the_end_stops_nobody()
    {
        Gdb.Request("s").Should().StartWith("T05thread:1;");
        IVirtualCpu stepping = Guest.Machine.Machine.GetVcpu(default);
        long steps = stepping.Counters.MonitorTraps;

        Guest.Debugger.End();
        Background.Until(() => stepping.Counters.MonitorTraps > steps + 1);
        Guest.Machine.Stop();

        Guest.End().End.Should().Be(MachineEnd.Stopped);
    }

    private string Monitor(string command) =>
        Encoding.UTF8.GetString(Convert.FromHexString(Gdb.Request($"qRcmd,{Convert.ToHexStringLower(Encoding.ASCII.GetBytes(command))}")));

    /// <summary>Maps the first 512 GiB a second time, behind the first.</summary>
    private ulong Alias()
    {
        const ulong EntryReach = 1ul << 39;
        Gdb.Request("?").Should().StartWith("T02thread:", "it stands at its first instruction");
        ulong table = Guest.Machine.Machine.GetVcpu(default).GetRegister(RegisterName.Cr3);
        string first = Gdb.Request($"m{table:x},8");
        Gdb.Request($"M{table + 8:x},8:{first}").Should().Be("OK");
        return EntryReach;
    }

    private ulong Rip() => BitConverter.ToUInt64(Convert.FromHexString(Gdb.Request("p10")));
}
