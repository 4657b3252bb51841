// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Engine;

/// <content>What becomes of an exit that waits before the guest goes on: it is answered, abandoned or retired.</content>
public sealed partial class VirtualCpu
{
    /// <inheritdoc/>
    public bool CompletePending()
    {
        TakeOwnership();
        bool mayBeInHandler = _mayBeInHandler;
        try
        {
            _mayBeInHandler = true;
            IBackendVcpu backend = Backend;
            switch (Pending)
            {
                case PendingOperation.Exit:
                    EngineThrow.Busy("CompletePending", "an exit waits for its answer: fulfil or discard it first");
                    return false;
                case PendingOperation.Answered when EmulationPending != PendingOperation.None:
                    ResumeEmulation(backend, _emulated!);
                    return EmulationPending == PendingOperation.None;
                default:
                    return Complete(backend);
            }
        }
        finally
        {
            _mayBeInHandler = mayBeInHandler;
            GiveOwnershipBack();
        }
    }

    private void ApplyEntry(IBackendVcpu backend, in VmEntry entry)
    {
        const string Operation = "vm_run";
        switch (entry.Command)
        {
            case EntryCommand.Default:
                return;
            case EntryCommand.DiscardInstruction:
                DiscardPending(backend);
                return;
            case EntryCommand.FulfillInout or EntryCommand.FulfillMmio or EntryCommand.FulfillMsr
                or EntryCommand.FulfillHypercall:
                if (Pending != PendingOperation.Exit)
                {
                    EngineThrow.Invalid(Operation, "nothing is pending that could be fulfilled");
                }

                Fulfill(backend, entry);
                _isExitDue = false;
                return;
            default:
                EngineThrow.Invalid(Operation, $"{(int)entry.Command} is not a command");
                return;
        }
    }

    /// <summary>Abandons an access that waits for its answer or for its completion: the state is that before its instruction.</summary>
    private void DiscardPending(IBackendVcpu backend)
    {
        _isExitDue &= backend.Pending == PendingOperation.None;
        _emulated?.Accesses.Reset();
        backend.Discard();
        bool mayBeInHandler = _mayBeInHandler;
        try
        {
            _mayBeInHandler = true;
            DeliverCollected(backend);
        }
        finally
        {
            _mayBeInHandler = mayBeInHandler;
        }
    }

    /// <summary>Retires an answered instruction.</summary>
    /// <returns>Whether it makes no further access.</returns>
    private bool Complete(IBackendVcpu backend)
    {
        bool isDone = backend.Complete(ref _exit);
        NoteAccess();
        _isExitDue = !isDone;
        DeliverCollected(backend);
        _isExitDue = false;
        return isDone;
    }

    /// <summary>Gives the caller's answer to the backend, if it matches what is pending.</summary>
    private void Fulfill(IBackendVcpu backend, in VmEntry entry)
    {
        bool matches = entry.Command switch
        {
            EntryCommand.FulfillInout => _exit.Code == ExitCode.Inout
                && entry.Port.Port == _exit.Port.Port
                && entry.Port.Bytes == _exit.Port.Bytes
                && entry.Port.IsIn == _exit.Port.IsIn,
            EntryCommand.FulfillMmio => _exit.Code == ExitCode.Mmio
                && entry.Mmio.Address == _exit.Mmio.Address
                && entry.Mmio.Bytes == _exit.Mmio.Bytes
                && entry.Mmio.IsRead == _exit.Mmio.IsRead,
            EntryCommand.FulfillMsr => _exit.Code is ExitCode.Rdmsr or ExitCode.Wrmsr
                && entry.Msr == _exit.Msr.Index
                && entry.MsrOutcome != MsrOutcome.Unhandled,
            _ => _exit.Code == ExitCode.Hypercall,
        };
        if (!matches)
        {
            EngineThrow.Invalid("vm_run", $"the answer does not match what is pending: {_exit}");
        }

        ulong value = entry.Command switch
        {
            EntryCommand.FulfillInout => entry.Port.Eax,
            EntryCommand.FulfillMmio => entry.Mmio.Data,
            _ => entry.Value,
        };
        if (EmulationPending == PendingOperation.Exit)
        {
            FulfillEmulation(value);
        }
        else
        {
            backend.Fulfill(value, entry.MsrOutcome);
        }
    }
}
