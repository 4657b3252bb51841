// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;
using Vmm.Emulation.Instructions.Paging;

namespace Vmm.Engine.SecondChance;

/// <content>Looks at the guest's memory beside execution, without an effect that the guest could see.</content>
internal sealed partial class EmulatedVcpu
{
    private const ulong ResumeFlag = 1 << 16;

    /// <summary>
    /// A hypervisor steps by the trap flag, and the frame of an event that it delivers on its way has the flag too. Takes it out of a frame
    /// that returns to where the step began, or behind that instruction: the handler's first one may have skipped it already.
    /// </summary>
    /// <param name="rip">RIP behind the step.</param>
    /// <param name="stackPointer">RSP behind the step: near the frame, because one instruction of the handler was executed.</param>
    public void ClearStepInFrame(ulong rip, ulong stackPointer)
    {
        const int Slots = 32;
        if (rip - State.Rip <= InstructionBytes.Length)
        {
            return;
        }

        ulong selector = State.Segments[(int)SegmentName.Cs].Selector;
        for (ulong slot = stackPointer; slot < stackPointer + (Slots * sizeof(ulong)); slot += sizeof(ulong))
        {
            Span<byte> flags = PeekWord(slot + (2 * sizeof(ulong)), write: true);
            if (flags.IsEmpty || ToWord(PeekWord(slot, write: false)) - State.Rip > (uint)InstructionBytes.Length)
            {
                continue;
            }

            ulong value = MemoryMarshal.Read<ulong>(flags);
            if (ToWord(PeekWord(slot + sizeof(ulong), write: false)) == selector
                && ((value ^ State.Rflags) & ~ResumeFlag) == TrapFlag)
            {
                value ^= TrapFlag;
                MemoryMarshal.Write(flags, in value);
                SettleWrites();
                return;
            }
        }
    }

    private Span<byte> PeekWord(ulong linear, bool write)
    {
        const ulong PageMask = 0xfff;
        if ((linear & PageMask) > PageMask + 1 - sizeof(ulong))
        {
            return default;
        }

        EmulatedCpu cpu = new(this);
        Translation translation = PageWalker.Probe(ref cpu, State.Paging, linear, PageAccess.Read);
        return translation.Status == TranslationStatus.Mapped ? Ram(translation.PhysicalAddress, sizeof(ulong), write) : default;
    }

    private static ulong ToWord(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? 0 : MemoryMarshal.Read<ulong>(bytes);

    /// <summary>The bytes at RIP, as far as they can be fetched without an effect on the guest.</summary>
    public ReadOnlySpan<byte> FetchBytes(Span<byte> buffer)
    {
        const ulong PageMask = 0xfff;
        EmulatedCpu cpu = new(this);
        ref readonly SegmentState code = ref State.Segments[(int)SegmentName.Cs];
        ulong linear = State.CodeSize == CodeSize.Bits64 ? State.Rip : (uint)(State.Rip + code.Base);
        PageAccess access = PageAccess.Execute | (State.Cpl == 3 ? PageAccess.User : PageAccess.Read);
        int count = 0;
        while (count < buffer.Length)
        {
            Translation translation = PageWalker.Probe(ref cpu, State.Paging, linear + (uint)count, access);
            int some = (int)Math.Min((ulong)(buffer.Length - count), PageMask + 1 - ((linear + (uint)count) & PageMask));
            Span<byte> bytes = translation.Status == TranslationStatus.Mapped
                ? Ram(translation.PhysicalAddress, some, write: false)
                : default;
            if (bytes.IsEmpty)
            {
                break;
            }

            bytes.CopyTo(buffer[count..]);
            count += some;
        }

        return buffer[..count];
    }
}
