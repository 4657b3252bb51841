// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Cli.Terminal;

namespace Vmm.Tests.Cli;

/// <summary>The terminal's settings as glibc lays them out on x86-64.</summary>
internal sealed class TermiosTests
{
    [Test]
    public void The_structure_has_glibcs_size_and_offsets()
    {
        Marshal.SizeOf<Termios>().Should().Be(60);
        Marshal.OffsetOf<Termios>("_controlCharacters").Should().Be(17);
        Marshal.OffsetOf<Termios>("_inputSpeed").Should().Be(52);
    }

    [Test]
    public void A_descriptor_that_is_no_terminal_has_no_settings()
    {
        const int NoSuchDescriptor = 9999;

        Termios.IsTerminal(NoSuchDescriptor).Should().BeFalse();
        Termios.TryGet(NoSuchDescriptor, out _).Should().BeFalse();
    }
}
