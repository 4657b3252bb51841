// SPDX-License-Identifier: BSD-2-Clause

using System.Text.Json;
using Vmm.Cli;
using Vmm.Tests.Support;

namespace Vmm.Tests.Cli;

/// <summary>The command <c>vmm cpu</c> in this process.</summary>
public sealed class CpuCommandTests
{
    private StringWriter _out = null!;
    private StringWriter _error = null!;

    [SetUp]
    public void CreateWriters() => (_out, _error) = (new StringWriter(), new StringWriter());

    [Test]
    public void Help_names_the_subcommands_and_models()
    {
        Invoke("cpu", "--help").Should().Be(0);
        Invoke("cpu", "show", "--help").Should().Be(0);

        _out.ToString().Should().ContainAll("show", "diff", "check", "pvm-friendly", "x86-64-v1", "--leaves", "--json", "--cpu-dependencies");
    }

    [Test]
    public void Without_a_subcommand_the_help_is_named()
    {
        Invoke("cpu").Should().Be(64);

        _error.ToString().Should().Contain("vmm cpu --help");
    }

    [Test]
    public void Mistake_in_a_subcommand_names_its_help()
    {
        Invoke("cpu", "show", "--leafs").Should().Be(64);

        _error.ToString().Should().Contain("'vmm cpu show --help'");
    }

    [TestCase("hots", "did you mean 'host'?")]
    [TestCase("host,-cx61", "did you mean 'cx16'?")]
    [TestCase("host,+ssbd", "the bits are spec_ctrl_ssbd")]
    public void Misspelt_model_is_a_usage_error(string model, string message)
    {
        Invoke("cpu", "check", model).Should().Be(64);

        _error.ToString().Should().StartWith("vmm: MODEL: ").And.Contain(message);
    }

    [Test]
    public void The_processor_in_software_is_a_model_on_every_host()
    {
        Invoke("cpu", "show", "software", "--device", "/nonexistent").Should().Be(0, _error.ToString());

        _out.ToString().Should().ContainAll("software", "avx2", "sse4_2").And.NotContain("avx512f");
    }

    [Test]
    public void The_processor_in_software_takes_changes()
    {
        Invoke("cpu", "diff", "software", "software,-avx2", "--device", "/nonexistent").Should().Be(2, _error.ToString());

        _out.ToString().Should().Contain("avx2");
    }

    [Test]
    public void Profile_that_is_missing_is_bad_input()
    {
        Invoke("cpu", "check", "/nonexistent/p.json").Should().Be(66);

        _error.ToString().Should().Contain("/nonexistent/p.json");
    }

    [Test]
    public void Other_word_for_dependencies_is_a_usage_error()
    {
        Invoke("cpu", "check", "host", "--cpu-dependencies", "maybe").Should().Be(64);

        _error.ToString().Should().Contain("'maybe' is not repair or refuse");
    }

    [Test]
    public void Without_a_hypervisor_that_is_said()
    {
        Invoke("cpu", "show", "--device", "/nonexistent/kvm").Should().Be(68);

        _error.ToString().Should().Contain("does not exist");
    }

    [Test]
    [Category("Kvm")]
    public void Host_is_shown_in_plain_lines()
    {
        KvmRequirement.Open().Dispose();

        Invoke("cpu", "show", "--leaves").Should().Be(0);

        _out.ToString().Should().ContainAll("model     host", "vendor    ", "features", "sse2", "leaves").And.NotContain("\u001b");
        _out.ToString().Split('\n').Should().OnlyContain(line => line.Length <= 100);
    }

    [Test]
    [Category("Kvm")]
    public void Profile_that_was_shown_is_the_processor_again()
    {
        KvmRequirement.Open().Dispose();
        using TemporaryFile file = new();
        Invoke("cpu", "show", "host,-cx16", "--json").Should().Be(0);
        File.WriteAllText(file.Path, _out.ToString());

        Invoke("cpu", "diff", "host,-cx16", file.Path).Should().Be(0);
        Invoke("cpu", "check", file.Path).Should().Be(0);

        _out.ToString().Should().Contain("are the same processor").And.Contain("fits: guests on this host can have it");
    }

    [Test]
    [Category("Kvm")]
    public void Difference_is_told_in_words_and_by_the_exit_code()
    {
        KvmRequirement.Open().Dispose();

        Invoke("cpu", "diff", "host,hypervisor=none", "host").Should().Be(2);

        _out.ToString().Should().Contain("that host,hypervisor=none lacks:").And.Contain("hypervisor");
    }

    [Test]
    [Category("Kvm")]
    public void Difference_is_told_in_json()
    {
        KvmRequirement.Open().Dispose();

        Invoke("cpu", "diff", "host", "host,hypervisor=none", "--json").Should().Be(2);

        using JsonDocument report = JsonDocument.Parse(_out.ToString());
        report.RootElement.GetProperty("same").GetBoolean().Should().BeFalse();
        report.RootElement.GetProperty("onlyInFirst").EnumerateArray().Select(name => name.GetString()).Should().Contain("hypervisor");
        report.RootElement.GetProperty("onlyInSecond").GetArrayLength().Should().Be(0);
    }

    [Test]
    [Category("Kvm")]
    public void Processor_that_the_host_cannot_give_does_not_fit()
    {
        KvmRequirement.Open().Dispose();

        Invoke("cpu", "check", "host,+3dnow", "--json").Should().Be(2);

        using JsonDocument report = JsonDocument.Parse(_out.ToString());
        report.RootElement.GetProperty("fits").GetBoolean().Should().BeFalse();
        report.RootElement.GetProperty("missing").EnumerateArray().Select(name => name.GetString()).Should().Equal("3dnow");
    }

    [Test]
    [Category("Kvm")]
    public void Registers_of_profiles_are_compared()
    {
        KvmRequirement.Open().Dispose();
        using TemporaryFile file = new();
        File.WriteAllText(file.Path, """{ "base": "host", "msrs": [{ "register": "IA32_PAT", "value": "0x6" }] }""");

        Invoke("cpu", "diff", "host", file.Path).Should().Be(2);

        _out.ToString().Should().Contain($"IA32_PAT: not set in host, 0x6 in {file.Path}.");
    }

    private int Invoke(params string[] args) => VmmCommandLine.Invoke(args, new CliHost
    {
        Out = _out,
        Error = _error,
        OpenOutput = () => Stream.Null,
    });

    private sealed class TemporaryFile : IDisposable
    {
        public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"{Guid.NewGuid():N}.json");

        public void Dispose() => File.Delete(Path);
    }
}
