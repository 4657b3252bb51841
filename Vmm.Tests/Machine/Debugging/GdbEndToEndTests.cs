// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;
using System.Net;
using Vmm.Abstractions.Vcpu;
using Vmm.Machine.Board;

namespace Vmm.Tests.Machine.Debugging;

/// <summary>The real GDB against a guest with two vCPUs.</summary>
[TestFixture("kvm", Category = "Kvm")]
[TestFixture("software")]
public sealed class GdbEndToEndTests(string kind)
{
    private const string Program = "/usr/bin/gdb";
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(120);

    [Test]
    public void Gdb_breaks_steps_and_shows_registers_memory_and_threads()
    {
        RequireGdb();
        using GdbMachine guest = new(kind);
        string output = Gdb(
            guest,
            $"break *0x{GdbMachine.Function:x}",
            "continue",
            "echo PC=\\n",
            "p/x $pc",
            "p/x $rbx",
            $"x/gx 0x{GdbMachine.Stored:x}",
            "info threads",
            "delete",
            "stepi",
            "p/x $pc",
            "set $rdx = 40",
            "stepi",
            "p $rdx",
            $"set *(long*)0x{GdbMachine.Stored:x} = 77",
            $"p *(long*)0x{GdbMachine.Stored:x}",
            "p ($cr0 & 1) + ($efer & 0x500)",
            "thread 2",
            "p/x $cs_base",
            "monitor info vcpus",
            "monitor info features",
            "kill");

        output.Should().Contain($"Breakpoint 1, 0x0000000000{GdbMachine.Function:x}");
        output.Should().Contain($"= 0x{GdbMachine.Function:x}");
        output.Should().Contain($"= 0x{GdbMachine.Value:x}");
        output.Should().Contain($"0x{GdbMachine.Stored:x}:\t0x{GdbMachine.Value:x}");
        output.Should().MatchRegex(@"\* 1 +Thread 1").And.MatchRegex(@"  2 +Thread 2");
        output.Should().Contain($"= 0x{GdbMachine.Function + 4:x}");
        output.Should().Contain("= 40");
        output.Should().Contain("= 77");
        output.Should().Contain($"= {1 + 0x500}");
        output.Should().Contain($"= 0x{GdbMachine.OthersCode:x}");
        output.Should().Contain("vCPU 1: rip");
        guest.End().End.Should().Be(MachineEnd.Stopped);
    }

    [Test]
    public void Gdb_watches_a_variable()
    {
        RequireGdb();
        using GdbMachine guest = new(kind);
        if (!((IVcpuDebugging)guest.Machine.Machine.GetVcpu(default)).DebugFeatures.HasFlag(DebugFeatures.Watchpoints))
        {
            Assert.Ignore($"{kind} on this host does not watch data");
        }

        string output = Gdb(guest, $"watch *(long*)0x{GdbMachine.Stored:x}", "continue", "p/x $rip", "delete", "kill");

        output.Should().Contain($"Hardware watchpoint 1: *(long*)0x{GdbMachine.Stored:x}");
        output.Should().Contain("Old value = 0").And.Contain($"New value = {GdbMachine.Value}");
    }

    private static void RequireGdb()
    {
        if (!File.Exists(Program))
        {
            Assert.Ignore($"{Program} is not installed: apt-get install gdb");
        }
    }

    private static string Gdb(GdbMachine guest, params string[] commands)
    {
        int port = ((IPEndPoint)guest.Server.LocalEndPoint).Port;
        ProcessStartInfo start = new(Program) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        List<string> all =
        [
            "set pagination off",
            "set confirm off",
            string.Create(CultureInfo.InvariantCulture, $"target remote 127.0.0.1:{port}"),
            .. commands,
        ];
        start.ArgumentList.Add("-nx");
        start.ArgumentList.Add("-batch");
        foreach (string command in all)
        {
            start.ArgumentList.Add("-ex");
            start.ArgumentList.Add(command);
        }

        using Process process = Process.Start(start)!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        bool ended = process.WaitForExit(s_limit);
        if (!ended)
        {
            process.Kill();
        }

        ended.Should().BeTrue("GDB comes to its end: {0}", output.Result);
        return output.Result + errors.Result;
    }
}
