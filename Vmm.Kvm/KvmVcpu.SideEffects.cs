// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Registers;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>What the completion of a discarded read must not change.</content>
internal sealed partial class KvmVcpu
{
    /// <summary>
    /// The state before a pending read is finished on dummy data: registers, FPU, events, and the memory that a string
    /// instruction or a push would write.
    /// </summary>
    private sealed class SideEffects
    {
        /// <summary>
        /// KVM emulates at most 1024 elements of at most 8 bytes before it goes back to the guest, upwards or downwards.
        /// </summary>
        private const int StringReach = 1024 * sizeof(ulong);

        private const int PageLength = 4096;

        private readonly List<(ulong Physical, byte[] Bytes)> _memory = [];
        private byte[] _fpu = [];
        private KvmRegs _regs;
        private KvmVcpuEvents _events;

        public static SideEffects Capture(KvmVcpu vcpu)
        {
            SideEffects effects = new() { _regs = vcpu.Regs };
            vcpu._fd.GetVcpuEvents(out effects._events);
            effects._fpu = new byte[vcpu._fd.XsaveLength];
            vcpu.GetFpu(effects._fpu);
            ulong destination = unchecked(vcpu.GetSegmentDescriptor(RegisterName.Es).Base + effects._regs.Rdi);
            effects.CaptureLinear(vcpu, unchecked(destination - StringReach), 2 * StringReach);
            ulong stack = unchecked(vcpu.GetSegmentDescriptor(RegisterName.Ss).Base + effects._regs.Rsp);
            effects.CaptureLinear(vcpu, unchecked(stack - sizeof(ulong)), sizeof(ulong));
            return effects;
        }

        public void Undo(KvmVcpu vcpu)
        {
            foreach ((ulong physical, byte[] before) in _memory)
            {
                Span<byte> now = vcpu._vm.MemoryAt(new GuestPhysicalAddress(physical), before.Length);
                for (int i = 0; i < now.Length; i++)
                {
                    // The dummy data are zeros; another value there now is another vCPU's write.
                    if (now[i] == 0 && before[i] != 0)
                    {
                        now[i] = before[i];
                    }
                }

                vcpu._vm.MarkWritten(new GuestPhysicalAddress(physical), before.Length);
            }

            vcpu._fd.SetXsave(_fpu);
            vcpu.Regs = _regs;
            vcpu._fd.SetRegs(_regs);
            vcpu._regsDirty = false;
            vcpu._page.Run.DirtyRegs = 0;
            _events.Flags |= (uint)(KvmVcpuEventFlags.NmiPending | KvmVcpuEventFlags.Shadow);
            vcpu._fd.SetVcpuEvents(_events);
            vcpu._eventsValid = vcpu._eventsDirty;
        }

        private void CaptureLinear(KvmVcpu vcpu, ulong linear, int length)
        {
            while (length > 0)
            {
                int here = Math.Min(length, PageLength - (int)(linear & (PageLength - 1)));
                KvmTranslation translation = vcpu._fd.Translate(linear);
                if (translation.Valid != 0)
                {
                    GuestPhysicalAddress physical = new(translation.PhysicalAddress);
                    Span<byte> bytes = vcpu._vm.MemoryAt(physical, here);
                    if (!bytes.IsEmpty)
                    {
                        _memory.Add((physical.Value, bytes.ToArray()));
                    }
                }

                linear = unchecked(linear + (ulong)here);
                length -= here;
            }
        }
    }
}
