// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software;

/// <summary>
/// A VM's translations of blocks on their way through the runtime's thread pool: a bounded number, one at a time, and behind each one
/// whatever else waits for the pool. A guest decides what is translated, and must not hold up the process that it is a part of.
/// </summary>
internal sealed class TranslationQueue : IThreadPoolWorkItem
{
    /// <summary>How many wait at most: a tenth of a second of work.</summary>
    internal const int Capacity = 64;

    private readonly Lock _lock = new();
    private readonly Queue<Action> _waiting = new(Capacity);
    private readonly Action<IThreadPoolWorkItem> _pool;
    private bool _isQueued;

    /// <summary>Makes a queue.</summary>
    /// <param name="pool">Has a thread execute an item; the runtime's pool, unless a test wants to decide when.</param>
    public TranslationQueue(Action<IThreadPoolWorkItem>? pool = null) =>
        _pool = pool ?? (static item => ThreadPool.UnsafeQueueUserWorkItem(item, preferLocal: false));

    /// <summary>Takes a translation, unless too many wait. Any thread.</summary>
    /// <param name="work">The translation; it does not throw.</param>
    /// <returns>Whether it was taken.</returns>
    public bool TryAdd(Action work)
    {
        lock (_lock)
        {
            if (_waiting.Count == Capacity)
            {
                return false;
            }

            _waiting.Enqueue(work);
            if (_isQueued)
            {
                return true;
            }

            _isQueued = true;
        }

        _pool(this);
        return true;
    }

    /// <summary>Forgets what waits: the VM is gone.</summary>
    public void Clear()
    {
        lock (_lock)
        {
            _waiting.Clear();
        }
    }

    /// <summary>Carries out one translation and stands in line again for the next. The pool's.</summary>
    public void Execute()
    {
        Action? work;
        lock (_lock)
        {
            _isQueued = _waiting.TryDequeue(out work);
        }

        if (work is not null)
        {
            work();
            _pool(this);
        }
    }
}
