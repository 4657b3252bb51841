// SPDX-License-Identifier: BSD-2-Clause

using System.Text.RegularExpressions;

namespace Vmm.Tests.Cli;

/// <summary>A run with input is recorded and repeated by the real program.</summary>
internal sealed class ReplayTests
{
    private const string Same = "the run is the recorded one";
    private const string Different = "the run is NOT the recorded one";

    /// <summary>
    /// The loop: inc word [0x600]; mov dx,0x3fd; in al,dx; test al,1; jz the loop; mov dx,0x3f8; in al,dx; out dx,al; add [0x602],al;
    /// cmp al,'q'; jne the loop; power off. What it counts depends on when the input comes.
    /// </summary>
    private static readonly byte[] s_echo =
    [
        0xff, 0x06, 0, 6, 0xba, 0xfd, 3, 0xec, 0xa8, 1, 0x74, 0xf4, 0xba, 0xf8, 3, 0xec, 0xee, 0x00, 0x06, 2, 6, 0x3c, (byte)'q', 0x75, 0xe7,
        0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef,
    ];

    private string _file = "";

    [SetUp]
    public void MakeFile() => _file = Path.GetTempFileName();

    [TearDown]
    public void DeleteFile() => File.Delete(_file);

    [Test]
    public void Replayed_run_is_the_recorded_one()
    {
        VmmOutput recorded = VmmProcess.RunFlatTyped("abq", s_echo, "--backend", "software", "--deterministic=7", "--record", _file);
        VmmOutput first = VmmProcess.RunFlat(s_echo, "--backend", "software", "--replay", _file);
        VmmOutput second = VmmProcess.RunFlatTyped("typed in vain", s_echo, "--backend", "software", "--replay", _file);

        recorded.ExitCode.Should().Be(0, recorded.Error);
        recorded.Out.Should().Be("abq");
        State(recorded).Should().StartWith("seed 7");
        foreach (VmmOutput replayed in (VmmOutput[])[first, second])
        {
            replayed.ExitCode.Should().Be(0, replayed.Error);
            replayed.Out.Should().Be("abq");
            replayed.Error.Should().Contain(Same);
            State(replayed).Should().Be(State(recorded));
        }
    }

    [Test]
    public void Another_guest_is_said_to_be_another_run()
    {
        VmmProcess.RunFlatTyped("q", s_echo, "--backend", "software", "--deterministic", "--record", _file).ExitCode.Should().Be(0);
        byte[] other = [0x90, .. s_echo];

        VmmOutput replayed = VmmProcess.RunFlat(other, "--backend", "software", "--replay", _file);

        replayed.Error.Should().Contain(Different);
    }

    [Test]
    public void What_is_no_recording_is_refused_with_its_line()
    {
        File.WriteAllText(_file, "vmm input 1\nseed 1\ninput 5 6x\n");

        VmmOutput refused = VmmProcess.RunFlat(s_echo, "--backend", "software", "--replay", _file);

        refused.ExitCode.Should().Be(64);
        refused.Error.Should().Contain("--replay").And.Contain("line 3");
    }

    private static string State(VmmOutput output) => Regex.Match(output.Error, "seed [0-9]+, [0-9]+ instructions, state [0-9a-f]{64}").Value;
}
