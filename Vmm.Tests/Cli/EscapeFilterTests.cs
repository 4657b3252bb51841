// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using Vmm.Cli.Terminal;

namespace Vmm.Tests.Cli;

public sealed class EscapeFilterTests
{
    [TestCase("abc", "abc")]
    [TestCase("a\u0001\u0001b", "a\u0001b")]
    [TestCase("\u0001c", "\u0001c")]
    [TestCase("a\u0001", "a")]
    [TestCase("\u0003\u0004", "\u0003\u0004")]
    public void Guest_gets_what_is_no_escape(string typed, string expected)
    {
        (EscapeAction action, string output, int read) = Filter(new EscapeFilter(), typed);

        action.Should().Be(EscapeAction.None);
        output.Should().Be(expected);
        read.Should().Be(typed.Length);
    }

    [TestCase("ab\u0001xcd", (int)EscapeAction.Quit)]
    [TestCase("ab\u0001hcd", (int)EscapeAction.Help)]
    public void Escape_stops_the_reading_behind_its_key(string typed, int action)
    {
        (EscapeAction found, string output, int read) = Filter(new EscapeFilter(), typed);

        found.Should().Be((EscapeAction)action);
        output.Should().Be("ab");
        read.Should().Be(4);
    }

    [Test]
    public void Escape_and_its_key_may_come_apart()
    {
        EscapeFilter filter = new();
        Filter(filter, "a\u0001").Action.Should().Be(EscapeAction.None);

        Filter(filter, "x").Action.Should().Be(EscapeAction.Quit);
    }

    [Test]
    public void Escape_that_was_cut_off_comes_with_the_next_key()
    {
        EscapeFilter filter = new();
        Filter(filter, "\u0001");

        // One byte in, two bytes out: the room that the filter asks for.
        Filter(filter, "c").Output.Should().Be("\u0001c");
    }

    private static (EscapeAction Action, string Output, int Read) Filter(EscapeFilter filter, string typed)
    {
        byte[] input = Encoding.Latin1.GetBytes(typed);
        byte[] output = new byte[input.Length + 1];
        EscapeAction action = filter.Filter(input, output, out int read, out int written);
        return (action, Encoding.Latin1.GetString(output, 0, written), read);
    }
}
