// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Engine;

/// <summary>Runs an action when disposed, once.</summary>
internal sealed class Registration(Action remove) : IDisposable
{
    private Action? _remove = remove;

    public void Dispose() => Interlocked.Exchange(ref _remove, null)?.Invoke();
}
