// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;
using Vmm.Cli;
using Vmm.Cli.Backends;
using Vmm.Cli.Run;

namespace Vmm.Tests.Cli;

public sealed class RunSettingsTests
{
    private static readonly RunTexts s_texts = new() { Kernel = "vmlinuz" };

    [Test]
    public void Defaults_are_a_small_machine_on_the_backend_that_suits_the_host()
    {
        RunSettings settings = RunSettings.Parse(s_texts);

        settings.Memory.Should().Be(512ul << 20);
        settings.Cpus.Should().Be(1);
        settings.Backend.Should().Be(new BackendChoice(BackendKind.Auto, "/dev/kvm", InterruptControllers: null));
        settings.CpuModel.Changes.Should().BeEmpty();
        settings.Console.Kind.Should().Be(ConsoleKind.Stdio);
        settings.Timeout.Should().BeNull();
    }

    [Test]
    public void Everything_is_read()
    {
        RunSettings settings = RunSettings.Parse(s_texts with
        {
            Initrd = "initrd",
            CommandLine = "console=ttyS0",
            Memory = "2G",
            Cpus = "4",
            Cpu = "host,-cx16",
            Console = "file:out.txt",
            Timeout = "90s",
            Json = true,
        });

        settings.Initrd.Should().Be("initrd");
        settings.CommandLine.Should().Be("console=ttyS0");
        settings.Memory.Should().Be(2ul << 30);
        settings.Cpus.Should().Be(4);
        settings.CpuModel.ToString().Should().Be("host,-cx16");
        settings.Console.Should().Be(new ConsoleTarget(ConsoleKind.File, "out.txt"));
        settings.Timeout.Should().Be(TimeSpan.FromSeconds(90));
        settings.Json.Should().BeTrue();
    }

    [TestCase("on", true)]
    [TestCase("off", false)]
    public void Second_chance_can_be_switched_off(string text, bool expected) =>
        RunSettings.Parse(s_texts with { SecondChance = text }).SecondChance.Should().Be(expected);

    [TestCase("gp", UnclaimedMsr.GeneralProtection)]
    [TestCase("ignore", UnclaimedMsr.ReadZeroIgnoreWrite)]
    [TestCase("ask", UnclaimedMsr.Exit)]
    public void Policy_for_unknown_registers_is_read(string text, UnclaimedMsr expected) =>
        RunSettings.Parse(s_texts with { MsrPolicy = text }).MsrPolicy.Should().Be(expected);

    [Test]
    public void Policy_that_does_not_exist_is_refused() =>
        Refusal(s_texts with { MsrPolicy = "warn" }).Should().Be("--msr-policy: 'warn' is not gp, ignore or ask");

    [Test]
    public void Unknown_registers_fault_and_KVM_handles_all_it_knows_by_default()
    {
        RunSettings settings = RunSettings.Parse(s_texts);

        settings.MsrPolicy.Should().Be(UnclaimedMsr.GeneralProtection);
        settings.MsrFilter.ToString().Should().Be("all");
    }

    [Test]
    public void Filter_for_registers_is_read() => RunSettings.Parse(s_texts with { MsrFilter = "but:ia32_pat:w,0x400-0x47f" })
        .MsrFilter.ToString().Should().Be("but:IA32_PAT:w,IA32_MC0_CTL-IA32_MC31_MISC");

    [TestCase("some", "--msr-filter: 'some' is not all, only:LIST or but:LIST")]
    [TestCase("only:IA32_PATH", "did you mean 'IA32_PAT'")]
    [TestCase("but:0x20-0x10", "ends before it begins")]
    public void Filter_that_means_nothing_is_refused(string text, string expected) =>
        Refusal(s_texts with { MsrFilter = text }).Should().Contain(expected);

    [Test]
    public void Filter_with_more_ranges_than_KVM_has_names_what_does_not_fit() =>
        Refusal(s_texts with { MsrFilter = "only:" + string.Join(',', Enumerable.Range(0, 17).Select(number => $"0x{number * 0x100000:x}")) })
            .Should().Contain("these do not fit: 0x1000000");

    [Test]
    public void Second_chance_is_on_by_default() => new RunTexts().SecondChance.Should().Be("on");

    [Test]
    public void Unknown_interrupt_controllers_are_refused_by_name() =>
        Refusal(s_texts with { Irqchip = "splt" }).Should().Contain("--irqchip: 'splt'").And.Contain("userspace");

    [TestCase("kernel", InterruptControllerMode.Kernel)]
    [TestCase("split", InterruptControllerMode.Split)]
    [TestCase("userspace", InterruptControllerMode.Userspace)]
    public void Interrupt_controllers_are_chosen(string irqchip, InterruptControllerMode expected) =>
        RunSettings.Parse(s_texts with { Irqchip = irqchip }).Backend.InterruptControllers.Should().Be(expected);

    [TestCase("auto", 0)]
    [TestCase("kvm", 1)]
    [TestCase("software", 2)]
    public void Backend_is_chosen(string backend, int expected) =>
        RunSettings.Parse(s_texts with { Backend = backend }).Backend.Kind.Should().Be((BackendKind)expected);

    [TestCase(null, null)]
    [TestCase("on", true)]
    [TestCase("off", false)]
    public void Translation_is_as_said(string? text, bool? expected) =>
        RunSettings.Parse(s_texts with { Translate = text }).Backend.Translates.Should().Be(expected);

    [Test]
    public void Backend_that_does_not_exist_is_refused() =>
        Refusal(s_texts with { Backend = "qemu" }).Should().Be("--backend: 'qemu' is not auto, kvm or software");

    [Test]
    public void A_run_that_can_be_repeated_has_a_seed_and_an_interval()
    {
        RunTexts texts = s_texts with { IsDeterministic = true };

        RunSettings.Parse(s_texts).Repeatable.Should().BeNull();
        RunSettings.Parse(texts).Repeatable.Should().Be(new RepeatableSettings(null, 0, null, null));
        RunSettings.Parse(texts with { Seed = "9", HashEvery = "1000" }).Repeatable.Should().Be(new RepeatableSettings(9, 1000, null, null));
        RunSettings.Parse(texts with { Record = "r" }).Repeatable!.Record.Should().Be("r");
        RunSettings.Parse(s_texts with { Replay = "r" }).Repeatable!.Replay.Should().Be("r");
    }

    [Test]
    public void What_cannot_be_repeated_is_refused()
    {
        RunTexts texts = s_texts with { IsDeterministic = true };

        Refusal(texts with { Cpus = "2" }).Should().Contain("one processor");
        Refusal(texts with { Seed = "x" }).Should().Contain("'x'");
        Refusal(texts with { HashEvery = "0" }).Should().Contain("'0'");
        Refusal(s_texts with { HashEvery = "5" }).Should().Contain("--deterministic");
        Refusal(s_texts with { Record = "r" }).Should().Contain("--record goes with --deterministic");
        Refusal(s_texts with { Replay = "r", Record = "s" }).Should().Contain("--record and --replay");
    }

    [Test]
    public void Guest_must_be_given() => Refusal(new RunTexts()).Should().Contain("--kernel FILE").And.Contain("vmm demo");

    [Test]
    public void Two_guests_are_refused() => Refusal(s_texts with { Flat = "flat" }).Should().Contain("one of them");

    [Test]
    public void Command_line_needs_a_kernel() =>
        Refusal(new RunTexts { Flat = "flat", CommandLine = "quiet" }).Should().Contain("--cmdline");

    [Test]
    public void Memory_is_refused_below_2_MiB() => Refusal(s_texts with { Memory = "1M" }).Should().Contain("--memory");

    [Test]
    public void Memory_is_refused_above_what_a_PC_has() => Refusal(s_texts with { Memory = "64T" }).Should().Contain("--memory");

    [TestCase("0")]
    [TestCase("255")]
    [TestCase("two")]
    public void Cpus_are_refused(string cpus) => Refusal(s_texts with { Cpus = cpus }).Should().Contain("--cpus").And.Contain("254");

    [TestCase("off1")]
    [TestCase("")]
    public void Second_chance_is_on_or_off(string text) =>
        Refusal(s_texts with { SecondChance = text }).Should().Contain("not on or off");

    [TestCase("file:")]
    [TestCase("pty")]
    public void Console_is_refused(string console) => Refusal(s_texts with { Console = console }).Should().Contain("--console");

    [Test]
    public void Misspelt_feature_gets_a_suggestion() =>
        Refusal(s_texts with { Cpu = "host,-cx61" }).Should().Contain("did you mean 'cx16'?");

    private static string Refusal(RunTexts texts)
    {
        Action parse = () => RunSettings.Parse(texts);
        return parse.Should().Throw<UsageException>().Which.Message;
    }
}
