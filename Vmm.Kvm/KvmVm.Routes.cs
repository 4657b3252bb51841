// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>
/// The table that says where KVM's lines go, which is always written as a whole: the lines of a PC in kernel mode, level-triggered pins of
/// the engine's I/O APIC in split mode, and behind them a line to each message that an event sends.
/// </content>
internal sealed partial class KvmVm : IBackendInterruptEvents
{
    private const int Requests = 16;
    private const int CascadeRequest = 2;
    private const int TimerPin = 2;
    private const int FirstPinLine = KvmConstants.IoapicNumPins;
    private const int FirstRequestLine = 2 * KvmConstants.IoapicNumPins;
    private const int FirstMessageLine = FirstRequestLine + Requests;

    private readonly List<KvmIrqRoutingEntry> _lineRoutes = [];
    private readonly (ulong Address, uint Data)?[] _levelRoutes = new (ulong, uint)?[KvmConstants.IoapicNumPins];
    private readonly List<(ulong Address, uint Data)?> _messageRoutes = [];

    /// <inheritdoc/>
    public void SetLevelRoute(int pin, (ulong Address, uint Data)? message)
    {
        lock (_lock)
        {
            // A change makes every vCPU look at the table again; most writes of a guest change nothing.
            if (_levelRoutes[pin] != message)
            {
                _levelRoutes[pin] = message;
                WriteRoutes();
            }
        }
    }

    /// <inheritdoc/>
    public IDisposable AttachLine(int line, SafeHandle trigger, SafeHandle? resample)
    {
        _vm.AssignIrqfd(trigger, (uint)line, resample);
        return new Attachment(this, () => _vm.DeassignIrqfd(trigger, (uint)line));
    }

    /// <inheritdoc/>
    public IDisposable AttachMessage(ulong address, uint data, SafeHandle trigger)
    {
        lock (_lock)
        {
            int index = _messageRoutes.IndexOf(null);
            if (index < 0)
            {
                index = _messageRoutes.Count;
                if (FirstMessageLine + index >= _vm.CheckExtension(KvmCapability.IrqRouting))
                {
                    throw new VmmException("KVM_SET_GSI_ROUTING", VmmError.ENOSPC, $"the VM has {index} messages that events send");
                }

                _messageRoutes.Add(null);
            }

            _messageRoutes[index] = (address, data);
            try
            {
                WriteRoutes();
                _vm.AssignIrqfd(trigger, (uint)(FirstMessageLine + index));
            }
            catch (VmmException)
            {
                _messageRoutes[index] = null;
                throw;
            }

            return new Attachment(this, () => DetachMessage(trigger, index));
        }
    }

    private void DetachMessage(SafeHandle trigger, int index)
    {
        _vm.DeassignIrqfd(trigger, (uint)(FirstMessageLine + index));
        _messageRoutes[index] = null;
        WriteRoutes();
    }

    /// <summary>
    /// Wires lines as a PC does, the 8254 on pin 2 of the I/O APIC, and one more line to each pin and each request alone.
    /// </summary>
    /// <remarks>
    /// Of several lines to one pin KVM tells the last one of the table when its interrupt ends, so those that a PC has come last.
    /// </remarks>
    private void AddLineRoutes()
    {
        for (int pin = 0; pin < IoApicPins; pin++)
        {
            Add(FirstPinLine + pin, KvmIrqchipId.Ioapic, pin);
        }

        for (int request = 0; request < Requests; request++)
        {
            AddRequest(FirstRequestLine + request, request);
        }

        for (int line = IoApicPins - 1; line >= 0; line--)
        {
            AddRequest(line, line);
            Add(line, KvmIrqchipId.Ioapic, line == 0 ? TimerPin : line);
        }

        void AddRequest(int line, int request)
        {
            if (request is < Requests and not CascadeRequest)
            {
                Add(line, request < 8 ? KvmIrqchipId.PicMaster : KvmIrqchipId.PicSlave, request & 7);
            }
        }

        void Add(int line, KvmIrqchipId chip, int pin) => _lineRoutes.Add(new KvmIrqRoutingEntry
        {
            Gsi = (uint)line,
            Type = (uint)KvmIrqRoutingType.Irqchip,
            Irqchip = new KvmIrqRoutingIrqchip { Irqchip = (uint)chip, Pin = (uint)pin },
        });
    }

    /// <summary>Gives KVM the table. Under the lock, except while the VM is made.</summary>
    private void WriteRoutes()
    {
        List<KvmIrqRoutingEntry> entries = [.. _lineRoutes];
        Add(_levelRoutes, first: 0);
        Add(CollectionsMarshal.AsSpan(_messageRoutes), FirstMessageLine);
        _vm.SetGsiRouting(CollectionsMarshal.AsSpan(entries));

        void Add(ReadOnlySpan<(ulong Address, uint Data)?> messages, int first)
        {
            for (int index = 0; index < messages.Length; index++)
            {
                if (messages[index] is { } message)
                {
                    entries.Add(new KvmIrqRoutingEntry
                    {
                        Gsi = (uint)(first + index),
                        Type = (uint)KvmIrqRoutingType.Msi,
                        Msi = new KvmIrqRoutingMsi
                        {
                            AddressLo = (uint)message.Address,
                            AddressHi = (uint)(message.Address >> 32),
                            Data = message.Data,
                        },
                    });
                }
            }
        }
    }
}
