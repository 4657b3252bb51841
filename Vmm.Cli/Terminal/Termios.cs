// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Cli.Terminal;

/// <summary>glibc's <c>struct termios</c> on x86-64, and the calls that use it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct Termios
{
    /// <summary>OPOST: process output, so that a line feed also returns the carriage.</summary>
    private const uint ProcessOutput = 1;
    private const int Now = 0;
    private const string Library = "libc";

    private uint _inputModes;
    private uint _outputModes;
    private uint _controlModes;
    private uint _localModes;
    private byte _lineDiscipline;
    private ControlCharacters _controlCharacters;
    private uint _inputSpeed;
    private uint _outputSpeed;

    /// <summary>Whether a descriptor is a terminal.</summary>
    public static bool IsTerminal(int descriptor) => isatty(descriptor) == 1;

    /// <summary>Reads a terminal's settings.</summary>
    public static bool TryGet(int descriptor, out Termios settings) => tcgetattr(descriptor, out settings) == 0;

    /// <summary>Puts settings in force.</summary>
    public static bool TrySet(int descriptor, in Termios settings) => tcsetattr(descriptor, Now, settings) == 0;

    /// <summary>
    /// Reads from a descriptor without the console class of the runtime, which would edit lines on a terminal.
    /// </summary>
    /// <returns>Bytes read; 0 at the end, -1 on an error, with the error number as the runtime keeps it.</returns>
    public static nint Read(int descriptor, Span<byte> buffer) =>
        read(descriptor, ref MemoryMarshal.GetReference(buffer), (nuint)buffer.Length);

    /// <summary>These settings with every byte passed on as it comes; output is still processed.</summary>
    public readonly Termios ToRaw()
    {
        Termios raw = this;
        cfmakeraw(ref raw);
        raw._outputModes |= ProcessOutput;
        return raw;
    }

    [DllImport(Library)]
    private static extern int isatty(int descriptor);

    [DllImport(Library, SetLastError = true)]
    private static extern int tcgetattr(int descriptor, out Termios settings);

    [DllImport(Library, SetLastError = true)]
    private static extern int tcsetattr(int descriptor, int when, in Termios settings);

    [DllImport(Library)]
    private static extern void cfmakeraw(ref Termios settings);

    [DllImport(Library, SetLastError = true)]
    private static extern nint read(int descriptor, ref byte buffer, nuint count);

    /// <summary>The control characters, at offset 17 without padding; only ever passed on.</summary>
    [StructLayout(LayoutKind.Sequential, Pack = 1)]
    private struct ControlCharacters
    {
        private readonly ulong _characters0;
        private readonly ulong _characters8;
        private readonly ulong _characters16;
        private readonly ulong _characters24;
    }
}
