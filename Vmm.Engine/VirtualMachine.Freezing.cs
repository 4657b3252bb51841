// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;

namespace Vmm.Engine;

/// <content>
/// Frozen vCPUs, and who may change the VM as a whole: one thread, that has frozen them and has no handler of theirs on its stack.
/// </content>
public sealed partial class VirtualMachine
{
    private int _freezes;
    private int _freezingThread;

    /// <summary>Whether the calling thread has a token of this VM.</summary>
    internal bool IsFrozenByCaller => Volatile.Read(ref _freezingThread) == Environment.CurrentManagedThreadId;

    /// <inheritdoc/>
    public IVcpuFreeze FreezeVcpus()
    {
        RefuseFromHandler("freeze the vCPUs of");
        return new VcpuFreeze(this);
    }

    /// <summary>Throws unless a token shows that this VM's vCPUs are frozen by the calling thread, and are not at work on it.</summary>
    internal void RequireFreeze(IVcpuFreeze freeze)
    {
        ArgumentNullException.ThrowIfNull(freeze);
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (freeze is not VcpuFreeze { IsHeld: true } token || token.Machine != this)
        {
            throw new InvalidOperationException("the token does not freeze this VM's vCPUs, or is disposed");
        }

        token.RequireOwnThread();
        RefuseFromHandler("change");
    }

    /// <summary>
    /// Throws where the calling thread may be within a handler: what waits for the other vCPUs would wait for one whose handler does the same,
    /// and what takes memory or the hypervisor's vCPU away takes it from the instruction that the handler belongs to.
    /// </summary>
    private void RefuseFromHandler(string what)
    {
        foreach (VirtualCpu cpu in _vcpus)
        {
            if (cpu.IsCallingHandlers)
            {
                throw new InvalidOperationException($"a handler cannot {what} the VM that it is called from");
            }
        }
    }

    private sealed class VcpuFreeze : IVcpuFreeze
    {
        private readonly VirtualMachine _machine;
        private readonly int _thread = Environment.CurrentManagedThreadId;

        public VcpuFreeze(VirtualMachine machine)
        {
            ObjectDisposedException.ThrowIf(machine.IsDisposed, machine);
            _machine = machine;
            int taken = 0;
            try
            {
                for (; taken < machine._vcpus.Length; taken++)
                {
                    machine._vcpus[taken].TakeOwnership();
                }

                IsHeld = true;
            }
            finally
            {
                // Whoever destroys the VM meanwhile waits for those that were taken before.
                for (int i = 0; i < taken && !IsHeld; i++)
                {
                    machine._vcpus[i].GiveOwnershipBack();
                }
            }

            machine._freezes++;
            Volatile.Write(ref machine._freezingThread, _thread);
        }

        public bool IsHeld { get; private set; }

        public IVirtualMachine Machine => _machine;

        public void Dispose()
        {
            if (!IsHeld)
            {
                return;
            }

            RequireOwnThread();
            IsHeld = false;
            if (--_machine._freezes == 0)
            {
                Volatile.Write(ref _machine._freezingThread, 0);
            }

            foreach (VirtualCpu cpu in _machine._vcpus)
            {
                cpu.GiveOwnershipBack();
            }
        }

        public void RequireOwnThread()
        {
            if (_thread != Environment.CurrentManagedThreadId)
            {
                throw new InvalidOperationException(
                    "another thread has frozen the vCPUs: it alone changes the VM and lets them go, with no await in between");
            }
        }
    }
}
