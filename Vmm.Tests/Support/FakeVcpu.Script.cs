// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Events;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Tests.Support;

/// <content>The usual steps of a script. An instruction has two bytes and ends with RIP behind it.</content>
internal sealed partial class FakeVcpu
{
    private const int InstructionLength = 2;

    private ulong _answer;
    private MsrOutcome _outcome;

    public FakeVcpu ThenOut(ushort port, byte bytes, uint value) =>
        Then((FakeVcpu vcpu, ref VmExit exit) => vcpu.Out(ref exit, port, bytes, value));

    public FakeVcpu ThenIn(ushort port, byte bytes) =>
        Then((FakeVcpu vcpu, ref VmExit exit) => vcpu.In(ref exit, port, bytes));

    public FakeVcpu ThenStringOut(ushort port, byte bytes, params byte[] data) =>
        Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            vcpu.ShowData(data.Length);
            data.CopyTo(vcpu.ExitData);
            vcpu.BeginWrite();
            exit.SetPort(
                new PortExit(port, bytes, PortFlags.String | PortFlags.Repeat, (uint)(data.Length / bytes), 0),
                vcpu.Rip,
                RipPosition.AtOrAfterInstruction);
        });

    public FakeVcpu ThenStringIn(ushort port, byte bytes, int count) =>
        Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            vcpu.ShowData(bytes * count);
            vcpu.ExitData.Clear();
            vcpu.BeginRead(0);
            exit.SetPort(
                new PortExit(port, bytes, PortFlags.In | PortFlags.String | PortFlags.Repeat, (uint)count, 0),
                vcpu.Rip,
                RipPosition.AtInstruction);
        });

    public FakeVcpu ThenMmioRead(ulong address, byte bytes) =>
        Then((FakeVcpu vcpu, ref VmExit exit) => vcpu.MmioRead(ref exit, address, bytes));

    public FakeVcpu ThenMmioWrite(ulong address, byte bytes, ulong value) =>
        Then((FakeVcpu vcpu, ref VmExit exit) => vcpu.MmioWrite(ref exit, address, bytes, value));

    public FakeVcpu ThenRdmsr(uint index, MsrExitReason reason = MsrExitReason.Unknown) =>
        Then((FakeVcpu vcpu, ref VmExit exit) => vcpu.Rdmsr(ref exit, index, reason));

    public FakeVcpu ThenWrmsr(uint index, ulong value, MsrExitReason reason = MsrExitReason.Unknown) =>
        Then((FakeVcpu vcpu, ref VmExit exit) => vcpu.Wrmsr(ref exit, index, value, reason));

    public FakeVcpu ThenHypercall(ulong number) =>
        Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            vcpu.BeginRead(8);
            exit.SetHypercall(new HypercallExit(number, 1, 2, 3, 4, 5, true), vcpu.Rip);
        });

    /// <summary>HLT, with interrupts enabled or not.</summary>
    public FakeVcpu ThenHlt(bool interruptible) =>
        Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            ulong flags = interruptible ? 0x202u : 2u;
            vcpu._registers[(int)RegisterName.Rflags] = flags;
            vcpu._registers[(int)RegisterName.Rip]++;
            exit.SetValue(ExitCode.Hlt, flags, vcpu.Rip);
        });

    public FakeVcpu ThenExit(ExitCode code) =>
        Then((FakeVcpu vcpu, ref VmExit exit) => exit.Set(code, vcpu.Rip));

    /// <summary>Guest code that spins until somebody kicks.</summary>
    public FakeVcpu ThenSpin() => Then(Spin);

    /// <summary>Runs something in the guest's place and leaves the guest with a kick.</summary>
    public FakeVcpu ThenDo(Action action) =>
        Then((FakeVcpu vcpu, ref VmExit exit) =>
        {
            action();
            exit.Set(ExitCode.Bogus, vcpu.Rip);
        });

    /// <summary>Ends the present run: an exit that always goes to the caller.</summary>
    public FakeVcpu ThenPause() => ThenExit(ExitCode.Pause);

    /// <summary>Adds a further access to the instruction that is pending.</summary>
    public void AddFragment(FakeStep step) => _fragments.Enqueue(step);

    /// <summary>Leaves an event half delivered, as an exit during its delivery does.</summary>
    public void CutDelivery(EventInformation information) => _events = _events with { Injected = information };

    public static void Spin(FakeVcpu vcpu, ref VmExit exit)
    {
        vcpu.WaitForKick();
        exit.Set(ExitCode.Bogus, vcpu.Rip);
    }

    public void Out(ref VmExit exit, ushort port, byte bytes, uint value)
    {
        BeginWrite();
        exit.SetPort(
            new PortExit(port, bytes, PortFlags.None, 1, value), Rip, RipPosition.AtOrAfterInstruction);
    }

    public void In(ref VmExit exit, ushort port, byte bytes)
    {
        BeginRead(bytes);
        exit.SetPort(new PortExit(port, bytes, PortFlags.In, 1, 0), Rip, RipPosition.AtInstruction);
    }

    public void MmioRead(ref VmExit exit, ulong address, byte bytes)
    {
        BeginRead(bytes);
        exit.SetMmio(
            new MmioExit(new GuestPhysicalAddress(address), bytes, true, 0), Rip, RipPosition.AtInstruction);
    }

    public void MmioWrite(ref VmExit exit, ulong address, byte bytes, ulong value)
    {
        BeginWrite();
        _registers[(int)RegisterName.Rip] += InstructionLength;
        _length = 0;
        exit.SetMmio(
            new MmioExit(new GuestPhysicalAddress(address), bytes, false, value), Rip, RipPosition.AfterInstruction);
    }

    public void Rdmsr(ref VmExit exit, uint index, MsrExitReason reason = MsrExitReason.Unknown)
    {
        BeginRead(8);
        exit.SetMsr(false, new MsrExit(new MsrIndex(index), 0, reason), Rip);
    }

    public void Wrmsr(ref VmExit exit, uint index, ulong value, MsrExitReason reason = MsrExitReason.Unknown)
    {
        BeginRead(0);
        exit.SetMsr(true, new MsrExit(new MsrIndex(index), value, reason), Rip);
    }

    private void ShowData(int length) => _exitDataCount = length;

    private void BeginWrite()
    {
        Pending = PendingOperation.Exit;
        _isRead = false;
        _readBytes = 0;
        _length = InstructionLength;
    }

    private void BeginRead(int bytes)
    {
        Pending = PendingOperation.Exit;
        _isRead = true;
        _readBytes = bytes;
        _length = InstructionLength;
        _outcome = MsrOutcome.Handled;
    }

    /// <summary>Puts what was read into RAX, as wide as it was read; a 32-bit value clears the upper half.</summary>
    private void FinishRead()
    {
        if (_isRead && _outcome == MsrOutcome.GeneralProtection)
        {
            _length = 0;
            return;
        }

        if (!_isRead || _readBytes == 0)
        {
            return;
        }

        ref ulong rax = ref _registers[(int)RegisterName.Rax];
        rax = _readBytes switch
        {
            1 => (rax & ~0xfful) | (byte)_answer,
            2 => (rax & ~0xfffful) | (ushort)_answer,
            4 => (uint)_answer,
            _ => _answer,
        };
    }
}
