// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Emulation.Timers;
using Vmm.Engine;
using Vmm.Tests.Support;

namespace Vmm.Tests.Engine.Chips;

/// <summary>A VM with the engine's chips over the scripted backend, in a time that is turned by hand.</summary>
public abstract class ChipFixture : EngineFixture
{
    private protected const ulong LocalApic = 0xfee00000;
    private protected const uint EndOfInterrupt = 0xb0;
    private protected const uint Enabled = 0x1ff;
    private protected const byte Vector = 0x40;

    private protected ManualClock Clock { get; private set; } = new();

    [SetUp]
    public void MakeMachine()
    {
        Clock = new ManualClock();
        UseChips(Options() with { PlatformChips = true });
    }

    private protected void UseChips(VirtualMachineOptions options) =>
        Use(new VirtualMachineFactory(Backend).Create(options, Clock));

    /// <summary>Starts a vCPU whose guest takes interrupts and has enabled its local APIC.</summary>
    private protected FakeVcpu StartEnabled(int id = 0)
    {
        FakeVcpu guest = Start(id);
        guest.SetRegister(RegisterName.Rflags, 0x202);
        Machine.GetLocalApic(new VcpuId(id)).WriteMmio(0xf0, 4, Enabled);
        return guest;
    }

    /// <summary>Initializes the 8259 pair to vectors 20h and 28h, nothing masked.</summary>
    private protected void InitializePic()
    {
        foreach ((ushort port, uint value) in (ReadOnlySpan<(ushort, uint)>)
            [(0x20, 0x11), (0xa0, 0x11), (0x21, 0x20), (0xa1, 0x28), (0x21, 4), (0xa1, 2), (0x21, 1), (0xa1, 1), (0x21, 0), (0xa1, 0)])
        {
            uint data = value;
            Machine.Ports.Access(Cpu, isIn: false, port, 1, ref data);
        }
    }

    private protected static IEnumerable<byte> Vectors(FakeVcpu guest) => guest.Delivered.Select(static each => each.Vector);
}
