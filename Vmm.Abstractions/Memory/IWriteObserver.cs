// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Memory;

/// <summary>Is told of writes by the host to memory whose written pages are recorded. Any thread; must not throw.</summary>
public interface IWriteObserver
{
    /// <summary>Records a write.</summary>
    /// <param name="position">The first byte, in the observer's own counting.</param>
    /// <param name="length">Bytes, at least 1.</param>
    void Written(ulong position, int length);
}
