// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm;

/// <content>What KVM has of somebody until he takes it back.</content>
internal sealed partial class KvmVm
{
    /// <summary>Ends something once, under the VM's lock, unless it has ended with the VM.</summary>
    private sealed class Attachment(KvmVm vm, Action end) : IDisposable
    {
        private Action? _end = end;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _end, null) is not { } end)
            {
                return;
            }

            lock (vm._lock)
            {
                if (!vm._vm.IsClosed)
                {
                    end();
                }
            }
        }
    }
}
