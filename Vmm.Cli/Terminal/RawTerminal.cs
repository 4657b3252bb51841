// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Cli.Terminal;

/// <summary>
/// Puts a terminal into raw mode and back: when disposed, when the process exits, and when an exception ends the process.
/// Does nothing where the descriptor is not a terminal.
/// </summary>
internal sealed class RawTerminal : IDisposable
{
    private readonly int _descriptor;
    private readonly Termios _before;
    private int _raw;

    private RawTerminal(int descriptor, in Termios before)
    {
        _descriptor = descriptor;
        _before = before;
    }

    /// <summary>Enters raw mode.</summary>
    /// <param name="descriptor">The terminal's descriptor.</param>
    /// <returns>What restores it, or null when it is not a terminal.</returns>
    public static RawTerminal? Enter(int descriptor)
    {
        if (!Termios.IsTerminal(descriptor) || !Termios.TryGet(descriptor, out Termios before))
        {
            return null;
        }

        RawTerminal terminal = new(descriptor, before);
        AppDomain.CurrentDomain.ProcessExit += terminal.OnProcessExit;
        AppDomain.CurrentDomain.UnhandledException += terminal.OnUnhandledException;
        terminal._raw = 1;
        _ = Termios.TrySet(descriptor, before.ToRaw());
        return terminal;
    }

    /// <summary>Restores the terminal; later calls do nothing.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _raw, 0) != 0)
        {
            _ = Termios.TrySet(_descriptor, _before);
            AppDomain.CurrentDomain.ProcessExit -= OnProcessExit;
            AppDomain.CurrentDomain.UnhandledException -= OnUnhandledException;
        }
    }

    private void OnProcessExit(object? sender, EventArgs arguments) => Dispose();

    private void OnUnhandledException(object sender, UnhandledExceptionEventArgs arguments) => Dispose();
}
