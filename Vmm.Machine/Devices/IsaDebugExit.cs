// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>
/// The port through which a test guest ends itself: writing v asks for exit code (v × 2) + 1, so that no guest can claim
/// the code zero. The convention is QEMU's isa-debug-exit.
/// </summary>
public sealed class IsaDebugExit
{
    /// <summary>Where guests expect it.</summary>
    public const ushort DefaultPort = 0xf4;

    /// <summary>I/O ports the device occupies.</summary>
    public const int WindowSize = 4;

    private readonly Action<int> _exit;
    private uint _last;

    /// <summary>Makes the device.</summary>
    /// <param name="exit">
    /// Called with the exit code on the thread of the vCPU that writes, once per write; must return soon and not throw. A
    /// process shows only the low eight bits of its exit code.
    /// </param>
    /// <param name="port">First I/O port.</param>
    public IsaDebugExit(Action<int> exit, ushort port = DefaultPort)
    {
        ArgumentNullException.ThrowIfNull(exit);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(port, ushort.MaxValue - WindowSize + 1);
        _exit = exit;
        Port = port;
    }

    /// <summary>First I/O port.</summary>
    public ushort Port { get; }

    /// <summary>The exit code that writing a value asks for.</summary>
    /// <param name="value">The value; its highest bit is lost.</param>
    public static int ExitCode(uint value) => unchecked((int)((value << 1) | 1));

    /// <summary>The guest reads: the value last written, zero before that.</summary>
    /// <param name="offset">Offset in the window; the value reads alike everywhere in it.</param>
    /// <param name="data">Receives the bytes, little-endian; zeros from the fifth on.</param>
    public void Read(ushort offset, Span<byte> data)
    {
        for (int index = 0; index < data.Length; index++)
        {
            data[index] = index < sizeof(uint) ? (byte)(_last >> (index * 8)) : (byte)0;
        }
    }

    /// <summary>The guest writes: it wants to end.</summary>
    /// <param name="offset">Offset in the window; the value is what is written, wherever in the window.</param>
    /// <param name="data">One to four bytes, little-endian; further ones are dropped.</param>
    public void Write(ushort offset, ReadOnlySpan<byte> data)
    {
        uint value = 0;
        for (int index = 0; index < Math.Min(data.Length, sizeof(uint)); index++)
        {
            value |= (uint)data[index] << (index * 8);
        }

        _last = value;
        _exit(ExitCode(value));
    }
}
