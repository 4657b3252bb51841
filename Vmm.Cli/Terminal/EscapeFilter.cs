// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Cli.Terminal;

/// <summary>What a key after the escape asks for.</summary>
internal enum EscapeAction
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>End the machine.</summary>
    Quit,

    /// <summary>Show the keys.</summary>
    Help,
}

/// <summary>
/// Takes the escapes out of what is typed: Ctrl-A x quits, Ctrl-A h helps, Ctrl-A Ctrl-A is Ctrl-A itself; Ctrl-A and
/// another key is both. The escape may end one read and its key begin the next.
/// </summary>
internal sealed class EscapeFilter
{
    /// <summary>Ctrl-A.</summary>
    public const byte Escape = 1;

    private bool _escaped;

    /// <summary>Filters a part of the input.</summary>
    /// <param name="input">The bytes typed; read up to the first that asks for something.</param>
    /// <param name="output">Receives what is for the guest; at least one byte longer than the input.</param>
    /// <param name="read">How many bytes were read.</param>
    /// <param name="written">How many bytes are for the guest.</param>
    /// <returns>What is asked for, after the bytes written.</returns>
    public EscapeAction Filter(ReadOnlySpan<byte> input, Span<byte> output, out int read, out int written)
    {
        read = 0;
        written = 0;
        while (read < input.Length)
        {
            byte value = input[read++];
            if (!_escaped)
            {
                _escaped = value == Escape;
                if (!_escaped)
                {
                    output[written++] = value;
                }

                continue;
            }

            _escaped = false;
            switch (value)
            {
                case (byte)'x':
                    return EscapeAction.Quit;
                case (byte)'h':
                    return EscapeAction.Help;
                case Escape:
                    output[written++] = Escape;
                    break;
                default:
                    output[written++] = Escape;
                    output[written++] = value;
                    break;
            }
        }

        return EscapeAction.None;
    }
}
