// SPDX-License-Identifier: BSD-2-Clause

using System.Text.Json;
using Vmm.Cli;

namespace Vmm.Tests.Cli;

/// <summary>The command line in this process, as far as it needs no guest.</summary>
public sealed class VmmCommandLineTests
{
    private StringWriter _out = null!;
    private StringWriter _error = null!;

    [SetUp]
    public void CreateWriters() => (_out, _error) = (new StringWriter(), new StringWriter());

    [Test]
    public void Unknown_option_is_a_usage_error()
    {
        Invoke("run", "--kernal", "x").Should().Be(64);

        _error.ToString().Should().Contain("'vmm run' has no option '--kernal'; did you mean '--kernel'?").And.Contain("vmm run --help");
    }

    [TestCase("rn", "vmm: 'vmm' has no command 'rn'; did you mean 'run'?\nvmm: 'vmm --help' shows what there is.\n")]
    [TestCase("cpu shw host", "vmm: 'vmm cpu' has no command 'shw'; did you mean 'show'?\nvmm: 'vmm cpu --help' shows what there is.\n")]
    public void Misspelt_command_gets_the_nearest_one_and_nothing_that_only_follows_from_it(string line, string expected)
    {
        Invoke(line.Split(' ')).Should().Be(64);

        _error.ToString().Should().Be(expected);
    }

    [Test]
    public void Missing_command_is_said_to_be_missing()
    {
        Invoke("cpu").Should().Be(64);

        _error.ToString().Should().StartWith("vmm: Required command was not provided").And.Contain("'vmm cpu --help'");
    }

    [Test]
    public void Refused_option_is_a_usage_error()
    {
        Invoke("run", "--kernel", "x", "--irqchip", "none").Should().Be(64);

        _error.ToString().Should().StartWith("vmm: --irqchip: 'none'");
    }

    [Test]
    public void Help_names_every_option()
    {
        Invoke("run", "--help").Should().Be(0);

        _out.ToString().Should().ContainAll(
            "--kernel", "--initrd", "--cmdline", "--memory", "--cpus", "--backend", "--translate", "--irqchip", "--cpu", "--second-chance", "--console", "--timeout", "--json", "--flat");
    }

    [Test]
    public void Missing_image_is_bad_input()
    {
        Invoke("run", "--kernel", "/nonexistent/vmlinuz").Should().Be(66);

        _error.ToString().Should().Contain("/nonexistent/vmlinuz");
    }

    [TestCase("/nonexistent/kvm", "does not exist")]
    [TestCase("/", "is a folder")]
    [TestCase("/etc/passwd", "is a regular file")]
    [TestCase("/dev/null", "not KVM")]
    public void Doctor_says_what_is_wrong_with_the_device(string device, string problem)
    {
        Invoke("doctor", "--device", device).Should().Be(68);

        _out.ToString().Should().Contain(problem).And.Contain("cannot run guests on KVM").And.MatchRegex("software .* million instructions/s");
    }

    [TestCase("/nonexistent/kvm", "does not exist")]
    [TestCase("/", "is a folder")]
    public void Demo_says_what_is_wrong_with_the_device(string device, string problem)
    {
        Invoke("demo", "--device", device).Should().Be(68);

        _error.ToString().Should().Contain(problem);
        _out.ToString().Should().BeEmpty();
    }

    [Test]
    public void Software_has_no_interrupt_controllers_in_the_kernel()
    {
        Invoke("demo", "--backend", "software", "--irqchip", "kernel").Should().Be(64);

        _error.ToString().Should().Contain("--irqchip userspace");
    }

    [Test]
    public void Translation_is_for_the_software_processor()
    {
        Invoke("demo", "--backend", "kvm", "--translate", "off").Should().Be(64);

        _error.ToString().Should().StartWith("vmm: --translate is about the software processor's code");
    }

    [Test]
    public void Translation_is_on_or_off()
    {
        Invoke("demo", "--translate", "of").Should().Be(64);

        _error.ToString().Should().Be("vmm: --translate: 'of' is not on or off\n");
    }

    [Test]
    public void Translation_and_interrupt_controllers_of_KVM_do_not_go_together()
    {
        Invoke("demo", "--translate", "on", "--irqchip", "split").Should().Be(64);

        _error.ToString().Should().Contain("--irqchip userspace");
    }

    [Test]
    public void Doctor_reports_a_missing_device_as_JSON()
    {
        Invoke("doctor", "--device", "/nonexistent/kvm", "--json").Should().Be(68);

        using JsonDocument json = JsonDocument.Parse(_out.ToString());
        json.RootElement.GetProperty("usable").GetBoolean().Should().BeFalse();
        json.RootElement.GetProperty("deviceStatus").GetString().Should().Be("missing");
        json.RootElement.GetProperty("remedy").GetString().Should().NotBeEmpty();
    }

    private int Invoke(params string[] args) => VmmCommandLine.Invoke(args, new CliHost
    {
        Out = _out,
        Error = _error,
        OpenOutput = static () => Stream.Null,
    });
}
