// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.ExceptionServices;

namespace Vmm.Tests.Support;

/// <summary>
/// Work on a thread of its own, whose failure becomes the test's. The limits exist only so that a lost wake-up fails a test
/// instead of hanging it; nothing is measured.
/// </summary>
internal sealed class Background
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    private readonly Thread _thread;
    private ExceptionDispatchInfo? _failure;

    private Background(Action work)
    {
        _thread = new Thread(() =>
        {
            try
            {
                work();
            }
            catch (Exception exception)
            {
                _failure = ExceptionDispatchInfo.Capture(exception);
            }
        })
        {
            IsBackground = true,
        };
        _thread.Start();
    }

    /// <summary>Whether the thread waits for something.</summary>
    public bool IsWaiting => _thread.ThreadState.HasFlag(ThreadState.WaitSleepJoin);

    public bool IsFinished => !_thread.IsAlive;

    public static Background Start(Action work) => new(work);

    /// <summary>Waits until something is so.</summary>
    public static void Until(Func<bool> condition) =>
        SpinWait.SpinUntil(condition, s_limit).Should().BeTrue("what the test waits for must happen");

    /// <summary>Waits for the thread's end; what it threw is thrown here.</summary>
    public void Join()
    {
        _thread.Join(s_limit).Should().BeTrue("the thread must come to its end");
        _failure?.Throw();
    }
}
