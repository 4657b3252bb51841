// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Engine.IoPorts;

/// <summary>
/// The port handlers of a VM. A look-up is two array reads on a table that is replaced, never changed, so no lock is held
/// while a handler runs.
/// </summary>
internal sealed class PortSpace(int maxHandlers) : IPortSpace
{
    private const int PageBits = 8;
    private const int PageLength = 1 << PageBits;

    private readonly Lock _lock = new();
    private readonly IPortHandler?[]?[] _pages = new IPortHandler?[]?[PageLength];
    private int _handlers;
    private int _hooks;

    /// <summary>How many hooks of external drivers stand.</summary>
    public int Hooks => Volatile.Read(ref _hooks);

    /// <inheritdoc/>
    public IDisposable Attach(ushort port, IPortHandler handler)
    {
        Insert("vm_ioport_attach", port, handler);
        return new Registration(() => Remove(port));
    }

    /// <inheritdoc/>
    public IDisposable Hook(ushort port, IPortHandler handler)
    {
        if (port == 0)
        {
            EngineThrow.Invalid("vm_ioport_hook", "port 0 cannot be hooked");
        }

        Insert("vm_ioport_hook", port, handler);
        Interlocked.Increment(ref _hooks);
        return new Registration(() =>
        {
            Remove(port);
            Interlocked.Decrement(ref _hooks);
        });
    }

    /// <inheritdoc/>
    public PortOutcome Access(IVirtualCpu vcpu, bool isIn, ushort port, int bytes, ref uint value)
    {
        if (bytes is not (1 or 2 or 4))
        {
            EngineThrow.Invalid("vm_ioport_access", $"a port access has 1, 2 or 4 bytes, not {bytes}");
        }

        IPortHandler? handler = Find(port);
        if (handler is null)
        {
            return PortOutcome.Unclaimed;
        }

        uint mask = uint.MaxValue >> (32 - (bytes * 8));
        if (!isIn)
        {
            return handler.Write(vcpu, port, bytes, value & mask);
        }

        PortOutcome outcome = handler.Read(vcpu, port, bytes, out uint read);
        if (outcome == PortOutcome.Handled)
        {
            value = read & mask;
        }

        return outcome;
    }

    /// <summary>The handler of a port, or null.</summary>
    public IPortHandler? Find(ushort port) => Volatile.Read(ref _pages[port >> PageBits])?[port & (PageLength - 1)];

    private void Insert(string operation, ushort port, IPortHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        lock (_lock)
        {
            if (_handlers == maxHandlers)
            {
                EngineThrow.Refuse(operation, VmmError.ENOSPC, $"all {maxHandlers} port handlers of the VM are in use");
            }

            if (Find(port) is not null)
            {
                EngineThrow.Refuse(operation, VmmError.EEXIST, $"port 0x{port:x} has a handler already");
            }

            Replace(port, handler);
            _handlers++;
        }
    }

    private void Remove(ushort port)
    {
        lock (_lock)
        {
            Replace(port, null);
            _handlers--;
        }
    }

    private void Replace(ushort port, IPortHandler? handler)
    {
        ref IPortHandler?[]? page = ref _pages[port >> PageBits];
        IPortHandler?[] copy = page is null ? new IPortHandler?[PageLength] : (IPortHandler?[])page.Clone();
        copy[port & (PageLength - 1)] = handler;
        Volatile.Write(ref page, copy);
    }
}
