// SPDX-License-Identifier: BSD-2-Clause

using System.Numerics;
using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Instructions.Paging;
using Vmm.Engine;

namespace Vmm.Machine.Debugging;

/// <content>Breakpoints, watchpoints and memory. On the debugger's thread while all vCPUs stand, but for what looks up a breakpoint.</content>
public sealed partial class MachineDebugger
{
    private const uint BreakpointException = 3;
    private const byte Int3 = 0xcc;

    /// <summary>By guest-physical address: code has as many linear ones as page tables give it.</summary>
    private readonly Dictionary<ulong, Patch> _patches = [];
    private readonly List<HardwareBreakpoint> _hardware = [];

    /// <summary>Whether addresses are guest-physical ones.</summary>
    internal bool UsesPhysicalAddresses { get; set; }

    /// <summary>The breakpoints, for a person.</summary>
    internal IEnumerable<string> Breakpoints()
    {
        lock (_gate)
        {
            return
            [
                .. _patches.Values.SelectMany(patch => patch.Addresses).Order().Select(address => $"software  0x{address:x}"),
                .. _hardware.Select(breakpoint => $"hardware  {breakpoint.Address.Value:x} {breakpoint.Kind} {breakpoint.Length}"),
            ];
        }
    }

    /// <summary>Puts INT3 at an address of a vCPU's space.</summary>
    /// <returns>Whether there is memory that can be changed.</returns>
    /// <exception cref="VmmException">ENOENT: the hypervisor does not hand INT3 over.</exception>
    internal bool InsertBreakpoint(VirtualCpu cpu, ulong address)
    {
        Span<byte> original = stackalloc byte[1];
        if (!TryTranslate(cpu, address, out GuestPhysicalAddress physical) || !_machine.Memory.TryRead(physical, original))
        {
            return false;
        }

        if (_patches.TryGetValue(physical.Value, out Patch? there))
        {
            lock (_gate)
            {
                there.Addresses.Add(address);
            }

            return true;
        }

        bool isFirst = _patches.Count == 0;
        if (isFirst)
        {
            TrapInt3(true);
        }

        if (!_machine.Memory.TryWrite(physical, [Int3]))
        {
            if (isFirst)
            {
                TrapInt3(false);
            }

            return false;
        }

        lock (_gate)
        {
            _patches.Add(physical.Value, new Patch(original[0]) { Addresses = { address } });
        }

        return true;
    }

    /// <summary>
    /// Takes INT3 away again, wherever it was put for this address: another vCPU's space may have been meant. Nothing happens where there is none.
    /// </summary>
    internal void RemoveBreakpoint(ulong address)
    {
        if (_patches.Count == 0)
        {
            return;
        }

        foreach ((ulong physical, Patch patch) in _patches.ToArray())
        {
            bool isLast;
            lock (_gate)
            {
                isLast = patch.Addresses.Remove(address) && patch.Addresses.Count == 0;
                if (isLast)
                {
                    _patches.Remove(physical);
                }
            }

            if (isLast)
            {
                Unpatch(new GuestPhysicalAddress(physical), patch.Original);
            }
        }

        if (_patches.Count == 0)
        {
            TrapInt3(false);
        }
    }

    /// <summary>Adds a breakpoint of the processor on every vCPU.</summary>
    /// <exception cref="VmmException">The processor or the hypervisor does not have it; the message says which.</exception>
    internal void InsertHardware(HardwareBreakpoint breakpoint)
    {
        if (!_hardware.Contains(breakpoint))
        {
            ArmHardware([.. _hardware, breakpoint]);
            _hardware.Add(breakpoint);
        }
    }

    /// <summary>Removes a breakpoint of the processor; nothing happens where there is none.</summary>
    internal void RemoveHardware(HardwareBreakpoint breakpoint)
    {
        if (_hardware.Remove(breakpoint))
        {
            ArmHardware([.. _hardware]);
        }
    }

    /// <summary>Reads memory as the debugged code is, without the breakpoints in it.</summary>
    /// <returns>How many bytes could be read.</returns>
    internal int Read(VirtualCpu cpu, ulong address, Span<byte> destination)
    {
        int done = 0;
        while (done < destination.Length)
        {
            ulong at = unchecked(address + (ulong)done);
            int some = (int)Math.Min((ulong)(destination.Length - done), PageSize.Bytes - (at % PageSize.Bytes));
            if (!TryTranslate(cpu, at, out GuestPhysicalAddress physical)
                || !_machine.Memory.TryRead(physical, destination.Slice(done, some)))
            {
                break;
            }

            foreach ((ulong patched, Patch patch) in _patches)
            {
                ulong offset = unchecked(patched - physical.Value);
                if (offset < (ulong)some)
                {
                    destination[done + (int)offset] = patch.Original;
                }
            }

            done += some;
        }

        return done;
    }

    /// <summary>Writes memory; breakpoints in it stay, over what was written.</summary>
    /// <returns>Whether all of it could be written.</returns>
    internal bool Write(VirtualCpu cpu, ulong address, ReadOnlySpan<byte> source)
    {
        for (int done = 0; done < source.Length;)
        {
            ulong at = unchecked(address + (ulong)done);
            int some = (int)Math.Min((ulong)(source.Length - done), PageSize.Bytes - (at % PageSize.Bytes));
            if (!TryTranslate(cpu, at, out GuestPhysicalAddress physical)
                || !_machine.Memory.TryWrite(physical, source.Slice(done, some)))
            {
                return false;
            }

            Repatch(physical.Value, source.Slice(done, some));
            done += some;
        }

        return true;
    }

    /// <summary>The linear address of a vCPU's next instruction.</summary>
    internal static ulong LinearRip(VirtualCpu cpu)
    {
        const ulong LongModeActive = 1 << 10;
        SegmentDescriptor code = cpu.GetSegmentDescriptor(RegisterName.Cs);
        ulong rip = cpu.GetRegister(RegisterName.Rip);
        bool isLong = code.Access.IsLong && (cpu.GetRegister(RegisterName.Efer) & LongModeActive) != 0;
        return isLong ? rip : (uint)(code.Base + rip);
    }

    /// <summary>Whether the debugger has put INT3 where a vCPU's next instruction is. On the vCPU's thread.</summary>
    private bool IsAtPatch(VirtualCpu cpu)
    {
        if (!TryWalk(cpu, LinearRip(cpu), out GuestPhysicalAddress physical))
        {
            return false;
        }

        lock (_gate)
        {
            return _patches.ContainsKey(physical.Value);
        }
    }

    // A guest that has written its code meanwhile keeps what it wrote.
    private void Unpatch(GuestPhysicalAddress physical, byte original)
    {
        Span<byte> present = stackalloc byte[1];
        if (_machine.Memory.TryRead(physical, present) && present[0] == Int3)
        {
            _machine.Memory.TryWrite(physical, [original]);
        }
    }

    private StopEvent Classify(VirtualCpu cpu, in VmExit exit)
    {
        const ulong Numbers = 0xf;
        int id = cpu.Id.Value;
        switch (exit.Code)
        {
            case ExitCode.MonitorTrap:
                return new StopEvent(StopKind.Step, id);
            case ExitCode.Breakpoint when exit.Debug.Exception == BreakpointException:
                return new StopEvent(StopKind.SoftwareBreakpoint, id);
            case ExitCode.Breakpoint:
                int number = BitOperations.TrailingZeroCount(exit.Debug.Dr6 & Numbers);
                return number < _hardware.Count && _hardware[number].Kind != BreakpointKind.Execution
                    ? new StopEvent(
                        _hardware[number].Kind == BreakpointKind.Write ? StopKind.Watchpoint : StopKind.AccessWatchpoint,
                        id,
                        _hardware[number].Address.Value)
                    : new StopEvent(StopKind.HardwareBreakpoint, id);
            default:
                return default;
        }
    }

    /// <summary>Lets the guest have an INT3 of its own: it executes as if nobody watched. On the vCPU's thread.</summary>
    private void PassToGuest(VirtualCpu cpu)
    {
        bool steps = _slots[cpu.Id.Value].Steps;
        cpu.SetCapability(VcpuCapability.BreakpointExit, false);
        cpu.SetCapability(VcpuCapability.MonitorTrapExit, true);
        bool made = cpu.Run(VmEntry.Default).Code == ExitCode.MonitorTrap;
        cpu.SetCapability(VcpuCapability.BreakpointExit, true);
        cpu.SetCapability(VcpuCapability.MonitorTrapExit, steps);
        if (!made)
        {
            return;
        }

        if (steps)
        {
            Park(cpu, new StopEvent(StopKind.Step, cpu.Id.Value));
        }
        else if (_machine.DebugVcpus.Contains(cpu.Id))
        {
            cpu.ResumeFromDebug();
            Park(cpu, default);
        }
    }

    private void TrapInt3(bool enabled)
    {
        foreach (VirtualCpu cpu in _vcpus)
        {
            cpu.SetCapability(VcpuCapability.BreakpointExit, enabled);
        }
    }

    private void ArmHardware(ReadOnlySpan<HardwareBreakpoint> breakpoints)
    {
        foreach (VirtualCpu cpu in _vcpus)
        {
            cpu.SetHardwareBreakpoints(breakpoints);
        }
    }

    private void RemoveAllBreakpoints()
    {
        foreach (ulong address in _patches.Values.SelectMany(patch => patch.Addresses).ToArray())
        {
            RemoveBreakpoint(address);
        }

        if (_hardware.Count > 0)
        {
            _hardware.Clear();
            ArmHardware([]);
        }

        UsesPhysicalAddresses = false;
    }

    private void Repatch(ulong physical, ReadOnlySpan<byte> written)
    {
        foreach ((ulong patched, Patch patch) in _patches)
        {
            ulong offset = unchecked(patched - physical);
            if (offset < (ulong)written.Length && _machine.Memory.TryWrite(new GuestPhysicalAddress(patched), [Int3]))
            {
                patch.Original = written[(int)offset];
            }
        }
    }

    /// <summary>Where an address of a vCPU's space is, whoever may access it and without a trace in the page tables.</summary>
    private bool TryTranslate(VirtualCpu cpu, ulong address, out GuestPhysicalAddress physical)
    {
        physical = new(address);
        return UsesPhysicalAddresses || TryWalk(cpu, address, out physical);
    }

    private static bool TryWalk(VirtualCpu cpu, ulong address, out GuestPhysicalAddress physical)
    {
        // What the kernel may not read because of SMAP, user mode may.
        GuestLinearAddress linear = new(address);
        Translation translation = cpu.Walk(linear, PageAccess.Read).Result;
        if (translation.Status != TranslationStatus.Mapped)
        {
            translation = cpu.Walk(linear, PageAccess.Read | PageAccess.User).Result;
        }

        physical = new(translation.PhysicalAddress);
        return translation.Status == TranslationStatus.Mapped;
    }

    /// <summary>An INT3 in the guest's memory, and the addresses for which it was asked.</summary>
    private sealed class Patch(byte original)
    {
        public byte Original { get; set; } = original;

        public HashSet<ulong> Addresses { get; } = [];
    }
}
