// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;
using Vmm.Kvm;

namespace Vmm.Tests.Docs;

/// <summary>The program that the README shows, so that it compiles and runs.</summary>
internal static class ReadmeExample
{
    public static uint Run()
    {
        // <readme>
        using KvmBackend kvm = KvmBackend.Open();
        using VirtualMachine vm = new VirtualMachineFactory(kvm).Create(
            new VirtualMachineOptions { Name = "readme", UnclaimedAccess = UnclaimedAccess.Exit });
        using (IVcpuFreeze freeze = vm.FreezeVcpus())
        {
            vm.MemoryMap.AllocateSegment(freeze, new SegmentId(0), 4096, isSystemMemory: true);
            vm.MemoryMap.Map(freeze, new GuestMemoryMapping(
                new GuestPhysicalAddress(0xfffff000), 4096, new SegmentId(0), 0, MemoryProtection.All, MapFlags.None));
        }

        // The reset vector: mov al, 6; mov cl, 7; mul cl; out 0x80, al; jmp $
        byte[] code = [0xb0, 6, 0xb1, 7, 0xf6, 0xe1, 0xe6, 0x80, 0xeb, 0xfe];
        vm.Memory.TryWrite(new GuestPhysicalAddress(0xfffffff0), code);

        VirtualCpu cpu = vm.GetVcpu(new VcpuId(0));
        cpu.Activate();
        cpu.SetRunState(VcpuRunState.Run);
        ref readonly VmExit exit = ref cpu.Run(VmEntry.Default);
        Console.WriteLine($"port 0x{exit.Port.Port:x} received {exit.Port.Eax}"); // port 0x80 received 42
        // </readme>
        return exit.Port.Eax;
    }
}
