// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Machine;
using Vmm.Tests.Kvm.Chips;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm;

/// <summary>
/// A VM that its owner forgets is destroyed, as bhyve's is by its last close (VM_SET_AUTODESTRUCT): nothing of the process keeps it.
/// </summary>
[Category("Kvm")]
public sealed class AbandonedMachineTests
{
    private const uint LocalApic = 0xfee00000;

    [TestCase(InterruptControllerMode.Userspace, false)]
    [TestCase(InterruptControllerMode.Userspace, true)]
    [TestCase(InterruptControllerMode.Split, true)]
    [TestCase(InterruptControllerMode.Kernel, true)]
    public void Machine_that_its_owner_forgets_leaves_nothing_behind(InterruptControllerMode mode, bool chips) =>
        ShouldLeaveNothing(() => Forget(mode, chips));

    [TestCase(ChipHost.Userspace)]
    [TestCase(ChipHost.Split)]
    [TestCase(ChipHost.Kernel)]
    [TestCase(ChipHost.Software)]
    public void Events_that_raise_interrupts_keep_neither_the_machine_nor_themselves(ChipHost host) => ShouldLeaveNothing(() => ForgetEvents(host));

    private static void ShouldLeaveNothing(Func<WeakReference> forget)
    {
        forget();
        HostResources before = HostResources.Count();
        List<WeakReference> machines = [];
        for (int i = 0; i < 6; i++)
        {
            machines.Add(forget());
        }

        Background.Until(() =>
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            return !machines.Exists(machine => machine.IsAlive) && !HostResources.Count().LeftOver(before).Any();
        });
    }

    /// <summary>A machine with an event on a line, one that learns of its end, and one that sends a message.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference ForgetEvents(ChipHost host)
    {
        const ulong MessageAddress = 0xfee00000;
        ChipGuest guest = new(host);
        SafeHandle trigger = guest.Events.CreateEvent();
        guest.Machine.Machine.AttachLine(21, trigger, guest.Events.CreateEvent());
        guest.Machine.Machine.AttachMessage(MessageAddress, 0x51, guest.Events.CreateEvent());
        guest.Events.SignalEvent(trigger);
        guest.Machine.Assemble(a => a.nop());
        guest.Machine.RunToEnd();
        return new WeakReference(guest.Machine.Machine);
    }

    /// <summary>A machine whose guest has begun an access, and whose local APIC counts where it is the engine's.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Forget(InterruptControllerMode mode, bool chips)
    {
        LongModeMachine guest = new(KvmRequirement.OpenBackend(), mode, chips: chips);
        guest.Assemble(a =>
        {
            if (chips)
            {
                a.mov(edi, LocalApic);
                a.mov(__dword_ptr[rdi + 0x320], 0x20040);
                a.mov(__dword_ptr[rdi + 0x3e0], 0xb);
                a.mov(__dword_ptr[rdi + 0x380], int.MaxValue);
            }
        });
        guest.RunToEnd();
        return new WeakReference(guest.Machine);
    }
}
