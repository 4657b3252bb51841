// SPDX-License-Identifier: BSD-2-Clause

using System.Text.Json;
using Vmm.Abstractions.Backend;
using Vmm.Kvm;

namespace Vmm.Tests.Cli;

/// <summary>The real program on each backend: exit codes, streams and reports.</summary>
[TestFixture("kvm", Category = "Kvm")]
[TestFixture("software")]
public sealed class VmmProcessTests(string backend)
{
    // The guest stops when it has seen a hundred; on a busy host more have come until it looks.
    private const string AtLeast100Interrupts = "timer: 1[0-9][0-9] interrupts";

    private static readonly byte[] s_powerOff = [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef];

    [OneTimeSetUp]
    public void RequireBackend()
    {
        if (backend == "kvm")
        {
            VmmProcess.RequireKvm();
        }
    }

    [TestCase("kernel")]
    [TestCase("split")]
    [TestCase("userspace")]
    public void Demo_passes_and_prints_its_figures(string irqchip)
    {
        if (backend == "software" && irqchip != "userspace")
        {
            Assert.Ignore("a processor in software has no interrupt controllers in the kernel");
        }

        VmmOutput demo = VmmProcess.Run("demo", "--backend", backend, "--irqchip", irqchip);

        demo.ExitCode.Should().Be(0, demo.Error);
        demo.Out.Should().ContainAll("64-bit code is running", "powering off").And.MatchRegex(AtLeast100Interrupts);
        demo.Error.Should().Contain("ok      mmio").And.NotContain("FAILED");
    }

    [Test]
    public void Demo_reports_as_JSON()
    {
        VmmOutput demo = VmmProcess.Run("demo", "--backend", backend, "--json");

        demo.ExitCode.Should().Be(0, demo.Error);
        using JsonDocument json = JsonDocument.Parse(demo.Out);
        json.RootElement.GetProperty("passed").GetBoolean().Should().BeTrue();
        json.RootElement.GetProperty("checks").GetArrayLength().Should().Be(7);
        json.RootElement.GetProperty("console").GetString().Should().MatchRegex(AtLeast100Interrupts);
        json.RootElement.GetProperty("machine").GetProperty("end").GetString().Should().Be("powerOff");
    }

    [Test]
    public void Doctor_measures()
    {
        VmmOutput doctor = VmmProcess.Run("doctor", "--json");

        doctor.ExitCode.Should().Be(0, doctor.Error);
        using JsonDocument json = JsonDocument.Parse(doctor.Out);
        JsonElement measured = json.RootElement.GetProperty("measurements");
        measured.GetProperty("portExitMicroseconds").GetDouble().Should().BePositive();
        measured.GetProperty("kernelInstructionsPerSecond").GetDouble().Should().BePositive();
        json.RootElement.GetProperty("apiVersion").GetInt32().Should().Be(12);
    }

    [Test]
    public void Power_off_is_success() => RunFlat(s_powerOff).ExitCode.Should().Be(0);

    [Test]
    public void Register_that_nobody_has_ends_the_guest_that_asks()
    {
        // mov ecx,0x3b4d0000 / rdmsr
        VmmOutput run = RunFlat([0x66, 0xb9, 0, 0, 0x4d, 0x3b, 0x0f, 0x32], "--msr-policy", "ask");

        run.ExitCode.Should().Be(90);
        run.Error.Should().Contain("the guest reads register 0x3b4d0000, which nobody answers for")
            .And.Contain("register 0x3b4d0000: read once; unknown: the guest was ended")
            .And.Contain("try: --msr-policy gp");
    }

    [Test]
    public void Registers_are_reported_as_JSON()
    {
        // mov ecx,0xfe / rdmsr / mov ecx,0x3b4d0000 / rdmsr / cli / hlt
        byte[] code = [0x66, 0xb9, 0xfe, 0, 0, 0, 0x0f, 0x32, 0x66, 0xb9, 0, 0, 0x4d, 0x3b, 0x0f, 0x32, 0xfa, 0xf4];

        VmmOutput run = RunFlat(code, "--msr-policy", "ignore", "--msr-filter", "but:IA32_MTRRCAP", "--json", "--console", "none");

        run.ExitCode.Should().Be(82, run.Error);
        using JsonDocument json = JsonDocument.Parse(run.Out);
        json.RootElement.GetProperty("msrs").EnumerateArray()
            .Select(entry => $"{entry.GetProperty("register").GetString()} {entry.GetProperty("reads").GetInt64()} {entry.GetProperty("answer").GetString()}")
            .Should().Equal("IA32_MTRRCAP 1 ours", "0x3b4d0000 1 policy");
    }

    [Test]
    public void Reset_is_80() => RunFlat([0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee]).ExitCode.Should().Be(80);

    [Test]
    public void Halt_is_82() => RunFlat([0xfa, 0xf4]).ExitCode.Should().Be(82);

    [Test]
    public void Triple_fault_is_84_and_reports_the_registers()
    {
        VmmOutput run = RunFlat([0x0f, 0x0b], "--flat-mode", "long");

        run.ExitCode.Should().Be(84);
        run.Error.Should().ContainAll("triple fault", "RIP 0000000000100000", "64-bit code", "page walk of the code", "IDTR base");
    }

    [Test]
    public void Triple_fault_names_its_chain_in_text_and_in_JSON()
    {
        if (backend == "kvm" && KvmDoctor.Examine(measure: false).Virtualization == HostVirtualization.Svm)
        {
            Assert.Ignore("this host's processor does not keep the state that it shut down in");
        }

        VmmOutput text = RunFlat([0x0f, 0x0b], "--flat-mode", "long");
        VmmOutput script = RunFlat([0x0f, 0x0b], "--flat-mode", "long", "--json", "--console", "none");

        text.Error.Should().ContainAll("chain: #UD > #GP(0x33) > #GP(0x6b) > #DF(0x0) > #GP(0x43) > shutdown", "instruction: ud2");
        using JsonDocument json = JsonDocument.Parse(script.Out);
        JsonElement fault = json.RootElement.GetProperty("tripleFault");
        fault.GetProperty("origin").GetString().Should().BeOneOf("seen", "rehearsed");
        fault.GetProperty("chain").EnumerateArray().Select(step => step.GetProperty("vector").GetInt32()).Should().Equal(6, 13, 13, 8, 13);
        fault.GetProperty("gates").GetArrayLength().Should().Be(3);
    }

    [Test]
    public void Timeout_is_124() => RunFlat([0xeb, 0xfe], "--timeout", "50ms").ExitCode.Should().Be(124);

    [Test]
    public void Debug_exit_is_the_guests_odd_code() => RunFlat([0xb0, 0x05, 0xe6, 0xf4]).ExitCode.Should().Be(11);

    [Test]
    public void Emulation_failure_is_86_and_says_what_and_why()
    {
        RequireInterpretingHost();

        // gf2p8mulb xmm0, xmm1
        VmmOutput run = RunFlat([0x66, 0x0f, 0x38, 0xcf, 0xc1], "--flat-mode", "long");

        run.ExitCode.Should().Be(86);
        run.Error.Should().ContainAll(
            "bytes: 66 0f 38 cf c1", "gf2p8mulb xmm0,xmm1", "page walk: 0x", "does not know `gf2p8mulb`", "does not have it either", "try:");
    }

    [Test]
    public void Without_a_second_chance_the_first_failure_ends_the_guest()
    {
        RequireInterpretingHost();

        VmmOutput run = RunFlat([0xf3, 0x0f, 0xb8, 0xc1], "--flat-mode", "long", "--second-chance", "off");

        run.ExitCode.Should().Be(86);
        run.Error.Should().ContainAll("bytes: f3 0f b8 c1", "popcnt eax,ecx", "--second-chance is off", "try: --second-chance on");
    }

    [Test]
    public void Second_chances_are_counted_by_instruction()
    {
        RequireInterpretingHost();

        // popcnt ax, cx, then power off
        VmmOutput run = RunFlat([0xf3, 0x0f, 0xb8, 0xc1, .. s_powerOff], "--json", "--console", "none");

        run.ExitCode.Should().Be(0);
        using JsonDocument json = JsonDocument.Parse(run.Out);
        json.RootElement.GetProperty("secondChance").GetProperty("instructions").GetProperty("popcnt").GetInt64().Should().Be(1);
    }

    private VmmOutput RunFlat(byte[] code, params string[] args) => VmmProcess.RunFlat(code, ["--backend", backend, .. args]);

    private void RequireInterpretingHost()
    {
        if (backend == "software")
        {
            Assert.Ignore("a second chance is for what a hypervisor cannot emulate");
        }

        if (KvmDoctor.Examine(measure: false).Virtualization != HostVirtualization.Pvm)
        {
            Assert.Ignore("only a PVM host interprets kernel-mode code; here the processor executes the instruction");
        }
    }

    [Test]
    public void Console_goes_to_standard_output_and_nothing_else_does()
    {
        // mov dx, 0x3f8 / mov al, 'A' / out dx, al, then power off
        VmmOutput run = RunFlat([0xba, 0xf8, 0x03, 0xb0, 0x41, 0xee, .. s_powerOff]);

        run.Out.Should().Be("A");
        run.Error.Should().StartWith("vmm: power off", "a backend that was named needs no explanation");
    }

    [Test]
    public void JSON_goes_to_standard_output_when_the_console_does_not()
    {
        VmmOutput run = RunFlat(s_powerOff, "--json", "--console", "none");

        using JsonDocument json = JsonDocument.Parse(run.Out);
        json.RootElement.GetProperty("end").GetString().Should().Be("powerOff");
        json.RootElement.GetProperty("exitCode").GetInt32().Should().Be(0);
        run.Error.Should().BeEmpty();
    }

    [Test]
    public void JSON_goes_to_standard_error_beside_the_console()
    {
        VmmOutput run = RunFlat(s_powerOff, "--json");

        using JsonDocument json = JsonDocument.Parse(run.Error);
        json.RootElement.GetProperty("vcpus")[0].GetProperty("registers").GetProperty("rdx").GetString().Should().Be("0x604");
        run.Out.Should().BeEmpty();
    }

    [Test]
    public void Backend_that_nobody_named_is_announced_with_the_reason()
    {
        VmmOutput run = VmmProcess.RunFlat(s_powerOff);

        run.ExitCode.Should().Be(0, run.Error);
        run.Error.Split('\n')[0].Should().MatchRegex("^vmm: backend (kvm|software): .+");
    }

    [Test]
    public void A_repeatable_run_tells_its_state_and_is_softwares()
    {
        // mov cx,200 / loop $ / power off
        VmmOutput run = RunFlat([0xb9, 200, 0, 0xe2, 0xfe, .. s_powerOff], "--deterministic=5", "--hash-every", "100");

        if (backend == "kvm")
        {
            run.ExitCode.Should().Be(64);
            run.Error.Should().Contain("needs the software backend");
            return;
        }

        run.ExitCode.Should().Be(0, run.Error);
        run.Error.Should().MatchRegex("vmm: after 100 instructions: [0-9a-f]{64}")
            .And.MatchRegex("vmm: seed 5, 20[0-9] instructions, state [0-9a-f]{64}");
    }

    [TestCase("off", false)]
    [TestCase("on", true)]
    public void Translation_is_the_software_processors_and_the_report_says_whether_it_is_on(string text, bool isOn)
    {
        VmmOutput run = RunFlat(s_powerOff, "--translate", text, "--json", "--console", "none");

        if (backend == "kvm")
        {
            run.ExitCode.Should().Be(64);
            run.Error.Should().StartWith("vmm: --translate is about the software processor's code");
            return;
        }

        run.ExitCode.Should().Be(0, run.Error);
        using JsonDocument json = JsonDocument.Parse(run.Out);
        json.RootElement.GetProperty("translates").GetBoolean().Should().Be(isOn);
    }

    [Test]
    public void Statistics_say_where_the_time_of_the_software_processor_goes()
    {
        if (backend == "kvm")
        {
            Assert.Ignore("a hypervisor has figures of its own");
        }

        VmmOutput run = RunFlat([0xeb, 0xfe], "--stats", "--json", "--console", "none", "--timeout", "200ms");

        run.ExitCode.Should().Be(124, run.Error);
        using JsonDocument json = JsonDocument.Parse(run.Out);
        JsonElement statistics = json.RootElement.GetProperty("statistics");
        statistics.GetProperty("vcpus")[0].GetProperty("hypervisor").GetProperty("sampled_execute").GetDouble().Should().BePositive();
        statistics.GetProperty("vm").GetProperty("process_time_compiling").GetDouble().Should().BePositive();
    }

    [Test]
    public void Demo_passes_without_translation_and_its_report_says_so()
    {
        VmmOutput demo = VmmProcess.Run("demo", "--translate", "off", "--json");

        demo.ExitCode.Should().Be(0, demo.Error);
        using JsonDocument json = JsonDocument.Parse(demo.Out);
        JsonElement machine = json.RootElement.GetProperty("machine");
        machine.GetProperty("hypervisor").GetString().Should().Be("software");
        machine.GetProperty("translates").GetBoolean().Should().BeFalse();
    }

    [Test]
    public void Usage_error_is_64() => VmmProcess.Run("run").ExitCode.Should().Be(64);
}
