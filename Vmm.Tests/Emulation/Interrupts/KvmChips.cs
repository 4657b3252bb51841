// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;
using Vmm.Tests.Support;

namespace Vmm.Tests.Emulation.Interrupts;

/// <summary>Runs a script on the chips inside KVM, by a guest in real mode that works through a table.</summary>
internal static class KvmChips
{
    /// <summary>The GSI of the first 8259 pin; the I/O APIC's pins come first, so that no line reaches both.</summary>
    public const int FirstPicLine = 32;

    public const int IoApicPins = 24;

    private const ulong CodeAddress = 0x1000;
    private const ulong StubAddress = 0x2000;
    private const int StubStride = 8;
    private const ulong CommonAddress = 0x3000;
    private const ulong TableAddress = 0x20000;
    private const ulong LogAddress = 0x40000;
    private const int TaskPriorityOffset = 0x80;
    private const int TableLength = 0x10000;
    private const int OpLength = 8;
    private const ushort EndPort = 0xe0;
    private const ushort WindowOpenPort = 0xe8;
    private const int InServiceOffset = 0x100;
    private const int RequestOffset = 0x200;

    // start: xor si,si / xor di,di / cld
    // next:  mov bx,[si] / mov dx,[si+2] / mov eax,[si+4] / add si,8 / jmp cs:[bx+table]
    // End:   out 0xe0,al / jmp start            Host: out 0xe4,eax / jmp next
    // Out:   out dx,al                          In:   xor eax,eax / in al,dx / stosd
    // ApicWrite: mov bx,dx / mov gs:[bx],eax    ApicRead: mov bx,dx / mov eax,gs:[bx] / stosd
    // IoApicWrite: mov fs:[0],edx / mov fs:[0x10],eax      IoApicRead: ... / mov eax,fs:[0x10] / stosd
    // Window: sti / nop / out 0xe8,al / nop (2) / cli / mov eax,-1 / stosd
    // WriteMsr: movzx ecx,dx / xor edx,edx / wrmsr / stosd
    // ReadMsr: movzx ecx,dx / xor eax,eax / xor edx,edx / rdmsr / stosd / mov eax,edx / stosd
    // table: the eleven addresses
    private static ReadOnlySpan<byte> Program =>
    [
        0x31, 0xf6, 0x31, 0xff, 0xfc, 0x8b, 0x1c, 0x8b, 0x54, 0x02, 0x66, 0x8b, 0x44, 0x04, 0x83, 0xc6, 0x08, 0x2e, 0xff, 0xa7,
        0x94, 0x10, 0xe6, 0xe0, 0xeb, 0xe6, 0x66, 0xe7, 0xe4, 0xeb, 0xe6, 0xee, 0xeb, 0xe3, 0x66, 0x31, 0xc0, 0xec, 0x66, 0xab,
        0xeb, 0xdb, 0x89, 0xd3, 0x65, 0x66, 0x89, 0x07, 0xeb, 0xd3, 0x89, 0xd3, 0x65, 0x66, 0x8b, 0x07, 0x66, 0xab, 0xeb, 0xc9,
        0x66, 0x0f, 0xb7, 0xd2, 0x64, 0x66, 0x89, 0x16, 0x00, 0x00, 0x64, 0x66, 0xa3, 0x10, 0x00, 0xeb, 0xb8, 0x66, 0x0f, 0xb7,
        0xd2, 0x64, 0x66, 0x89, 0x16, 0x00, 0x00, 0x64, 0x66, 0xa1, 0x10, 0x00, 0x66, 0xab, 0xeb, 0xa5, 0xfb, 0x90, 0xe6, 0xe8,
        0x90, 0x90, 0xfa, 0x66, 0xb8, 0xff, 0xff, 0xff, 0xff, 0x66, 0xab, 0xeb, 0x94, 0x66, 0x0f, 0xb7, 0xca, 0x66, 0x31, 0xd2,
        0x0f, 0x30, 0x66, 0xab, 0xeb, 0x87, 0x66, 0x0f, 0xb7, 0xca, 0x66, 0x31, 0xc0, 0x66, 0x31, 0xd2, 0x0f, 0x32, 0x66, 0xab,
        0x66, 0x89, 0xd0, 0x66, 0xab, 0xe9, 0x71, 0xff, 0x16, 0x10, 0x1a, 0x10, 0x1f, 0x10, 0x22, 0x10, 0x2a, 0x10, 0x32, 0x10,
        0x3c, 0x10, 0x4d, 0x10, 0x60, 0x10, 0x71, 0x10, 0x7e, 0x10,
    ];

    // Every vector: push eax / mov al,vector / jmp common. Common: movzx eax,al / or eax,0x10000 / stosd / push bp / mov bp,sp /
    // and word [bp+10],~0x200 / cmp eax,0x1000d / jne + / add word [bp+6],2 / + pop bp / pop eax / iret.
    // The interrupted code goes on with interrupts disabled, and after #GP behind RDMSR or WRMSR.
    private static ReadOnlySpan<byte> Common =>
    [
        0x66, 0x0f, 0xb6, 0xc0, 0x66, 0x0d, 0x00, 0x00, 0x01, 0x00, 0x66, 0xab, 0x55, 0x89, 0xe5, 0x81, 0x66, 0x0a, 0xff, 0xfd,
        0x66, 0x3d, 0x0d, 0x00, 0x01, 0x00, 0x75, 0x04, 0x83, 0x46, 0x06, 0x02, 0x5d, 0x66, 0x58, 0xcf,
    ];

    public static ChipOutcome Run(ReadOnlySpan<ChipOp> script)
    {
        using KvmSystemFd system = KvmRequirement.Open();
        using KvmVmFd vm = system.CreateVm();
        vm.CreateIrqchip();
        vm.SetGsiRouting(Routes());
        using MemoryMapping memory = MemoryMapping.Create(0x80000);
        vm.SetUserMemoryRegion(0, KvmMemoryRegionFlags.None, 0, memory, 0, memory.Length);
        using KvmVcpuFd vcpu = vm.CreateVcpu(0);
        vcpu.SetCpuid2(system.GetSupportedCpuid());
        Load(memory, vcpu, script);
        List<uint> accepted = [];
        int logged = RunToEnd(vm, vcpu, accepted);
        uint[] log = [.. MemoryMarshal.Cast<byte, uint>(memory.Slice(LogAddress, logged)), .. accepted];
        return new ChipOutcome(log, Registers(vm, vcpu));
    }

    private static KvmIrqRoutingEntry[] Routes()
    {
        List<KvmIrqRoutingEntry> routes = [];
        for (uint pin = 0; pin < IoApicPins; pin++)
        {
            Add(pin, KvmIrqchipId.Ioapic, pin);
        }

        for (uint pin = 0; pin < 16; pin++)
        {
            Add(FirstPicLine + pin, pin < 8 ? KvmIrqchipId.PicMaster : KvmIrqchipId.PicSlave, pin & 7);
        }

        return [.. routes];

        void Add(uint gsi, KvmIrqchipId chip, uint pin) => routes.Add(new KvmIrqRoutingEntry
        {
            Gsi = gsi,
            Type = (uint)KvmIrqRoutingType.Irqchip,
            Irqchip = new KvmIrqRoutingIrqchip { Irqchip = (uint)chip, Pin = pin },
        });
    }

    private static void Load(MemoryMapping memory, KvmVcpuFd vcpu, ReadOnlySpan<ChipOp> script)
    {
        ((script.Length + 1) * OpLength).Should().BeLessThanOrEqualTo(TableLength);
        Program.CopyTo(memory.Slice(CodeAddress, Program.Length));
        Common.CopyTo(memory.Slice(CommonAddress, Common.Length));
        for (int vector = 0; vector < 256; vector++)
        {
            ulong stub = StubAddress + (ulong)(vector * StubStride);
            ushort distance = (ushort)(CommonAddress - (stub + 7));
            byte[] code = [0x66, 0x50, 0xb0, (byte)vector, 0xe9, (byte)distance, (byte)(distance >> 8)];
            code.CopyTo(memory.Slice(stub, code.Length));
            BinaryPrimitives.WriteUInt32LittleEndian(memory.Slice((ulong)vector * 4, 4), (uint)stub);
        }

        Span<byte> table = memory.Slice(TableAddress, TableLength);
        for (int index = 0; index < script.Length; index++)
        {
            Span<byte> entry = table.Slice(index * OpLength, OpLength);
            BinaryPrimitives.WriteUInt16LittleEndian(entry, (ushort)script[index].Code);
            BinaryPrimitives.WriteUInt16LittleEndian(entry[2..], script[index].Argument);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], script[index].Value);
        }

        vcpu.GetSregs(out KvmSregs system);
        system.Cs.Base = 0;
        system.Cs.Selector = 0;
        system.Ds.Base = TableAddress;
        system.Es.Base = LogAddress;
        system.Fs.Base = 0xfec0_0000;
        system.Gs.Base = 0xfee0_0000;
        vcpu.SetSregs(system);
        vcpu.SetRegs(new KvmRegs { Rip = CodeAddress, Rflags = 2, Rsp = 0x8000 });
    }

    private static int RunToEnd(KvmVmFd vm, KvmVcpuFd vcpu, List<uint> accepted)
    {
        using KvmVcpuSession session = vcpu.OpenSession();
        while (true)
        {
            session.Run().Should().Be(0, "KVM_RUN must end with an exit");
            ref KvmRun run = ref session.Page;
            ((KvmExitReason)run.ExitReason).Should().Be(KvmExitReason.Io);
            if (run.Io.Port == EndPort)
            {
                vcpu.GetRegs(out KvmRegs registers);
                return (int)registers.Rdi;
            }

            if (run.Io.Port == WindowOpenPort)
            {
                // A host that interprets this code notices the open window only on its way into the guest.
                continue;
            }

            vcpu.Page.TryGetIoData(out Span<byte> data).Should().BeTrue();
            ChipOp op = new(ChipOpCode.Host, 0, BinaryPrimitives.ReadUInt32LittleEndian(data));
            if (op.IsAccept)
            {
                accepted.Add(Accept(vcpu));
            }
            else if (op.IsMsi)
            {
                SignalMsi(vm, op);
            }
            else
            {
                vm.IrqLine((uint)op.Line, op.Level);
            }
        }
    }

    // The processor's side of acceptance, done on KVM's state: the guest runs with interrupts disabled. A host that
    // interprets guests may deliver vectors late or without marking them in service, and what is compared here is the chip.
    private static uint Accept(KvmVcpuFd vcpu)
    {
        vcpu.GetLapic(out KvmLapicState state);
        Span<byte> page = state.Regs;
        int requested = Highest(page[RequestOffset..]);
        int threshold = Math.Max(Highest(page[InServiceOffset..]), page[TaskPriorityOffset]) & 0xf0;
        if ((requested & 0xf0) <= threshold || requested < 0)
        {
            return uint.MaxValue;
        }

        int register = (requested >> 5) * 0x10;
        uint bit = 1u << (requested & 31);
        Change(page[(RequestOffset + register)..], value => value & ~bit);
        Change(page[(InServiceOffset + register)..], value => value | bit);
        vcpu.SetLapic(state);
        return (uint)requested;

        static void Change(Span<byte> at, Func<uint, uint> change) => BinaryPrimitives.WriteUInt32LittleEndian(
            at, change(BinaryPrimitives.ReadUInt32LittleEndian(at)));
    }

    private static int Highest(ReadOnlySpan<byte> registers)
    {
        for (int index = 7; index >= 0; index--)
        {
            uint bits = BinaryPrimitives.ReadUInt32LittleEndian(registers[(index * 0x10)..]);
            if (bits != 0)
            {
                return (index * 32) + System.Numerics.BitOperations.Log2(bits);
            }
        }

        return -1;
    }

    // KVM answers EPERM where a message is addressed to nobody.
    private static void SignalMsi(KvmVmFd vm, ChipOp op)
    {
        try
        {
            vm.SignalMsi(new KvmMsi { AddressLo = (uint)op.MsiAddress, Data = op.MsiData });
        }
        catch (VmmException exception) when (exception.Error == VmmError.EPERM)
        {
            TestContext.Out.WriteLine($"{op} has no target");
        }
    }

    private static List<string> Registers(KvmVmFd vm, KvmVcpuFd vcpu)
    {
        List<string> registers = [];
        foreach (KvmIrqchipId id in (ReadOnlySpan<KvmIrqchipId>)[KvmIrqchipId.PicMaster, KvmIrqchipId.PicSlave])
        {
            vm.GetIrqchip(id, out KvmIrqchip chip);
            ref KvmPicState pic = ref chip.Pic;
            registers.Add(
                $"pic irr {pic.Irr:x} isr {pic.Isr:x} imr {pic.Imr:x} base {pic.IrqBase:x} first {pic.PriorityAdd} elcr {pic.Elcr:x}");
        }

        vm.GetIrqchip(KvmIrqchipId.Ioapic, out KvmIrqchip ioApic);
        for (int pin = 0; pin < IoApicPins; pin++)
        {
            registers.Add($"pin {pin} {ioApic.Ioapic.Redirtbl[pin]:x}");
        }

        vcpu.GetLapic(out KvmLapicState lapic);
        Span<byte> page = lapic.Regs;
        foreach (int offset in ModelChips.ComparedApicRegisters)
        {
            registers.Add($"apic {offset:x} {BinaryPrimitives.ReadUInt32LittleEndian(page[offset..]):x}");
        }

        return registers;
    }
}
