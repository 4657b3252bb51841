// SPDX-License-Identifier: BSD-2-Clause

using System.Text;
using Vmm.Machine.Devices;

namespace Vmm.Cli.Demo;

/// <summary>Keeps what the demo's guest prints, and passes it on.</summary>
/// <param name="next">Where to; null for nowhere.</param>
internal sealed class DemoConsole(IConsoleSink? next) : IConsoleSink
{
    /// <summary>The guest prints a few hundred bytes; anything more is not this guest.</summary>
    private const int Limit = 64 * 1024;

    private readonly Lock _lock = new();
    private readonly StringBuilder _text = new();

    /// <summary>What was printed.</summary>
    public string Text
    {
        get
        {
            lock (_lock)
            {
                return _text.ToString();
            }
        }
    }

    /// <inheritdoc/>
    public void Write(ReadOnlySpan<byte> data)
    {
        lock (_lock)
        {
            foreach (byte value in data[..Math.Min(data.Length, Limit - _text.Length)])
            {
                _text.Append((char)value);
            }
        }

        next?.Write(data);
    }
}
