// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Benchmarks.Emulation;
using Vmm.Benchmarks.Kvm;
using Vmm.Benchmarks.Tcg;

if (args is ["emulation", .. string[] emulation])
{
    EmulationBenchmarks.Run(emulation);
    return 0;
}

if (args is ["second-chance", .. string[] chances])
{
    return SecondChances.Run(chances);
}

if (args is ["chips", .. string[] chips])
{
    return ChipCosts.Run(chips);
}

if (args is ["start", string vmm])
{
    return StartUp.Run(vmm);
}

if (args is ["tcg", _, ..])
{
    return TcgPairs.Run(args[1..]);
}

if (args is ["shares", string program, string kernel, .. string[] more])
{
    return TimeShares.Run(program, kernel, more);
}

if (args is ["kvm", .. string[] rest])
{
    return KvmPairs.Run(rest);
}

if (args is ["machines", .. string[] many])
{
    return ManyMachines.Run(many);
}

Console.Error.WriteLine("""
    usage: dotnet run -c Release --project Vmm.Benchmarks -- GROUP [ARGUMENT ...]

      emulation [decode|execute|cpuid]
                      decoding beside Iced, the executor beside a small interpreter in C (needs gcc), and looking up
                      CPUID leaves and model-specific registers
      second-chance [ROUNDS]
                      executing what KVM cannot emulate, on a host that interprets kernel mode
      chips [ROUNDS]  lateness of timers beside a timerfd in C, interrupts in each mode, the bus, idle VMs (needs gcc)
      start VMM       from the start of a published vmm program to its guest's first instruction
      tcg VMM [PAIRS [KERNEL]]
                      a published vmm program's processor in software beside QEMU's TCG (needs qemu-system-x86_64): loops of
                      one image, and the boot of Debian's kernel
      shares VMM KERNEL [OPTION ...]
                      where the time of a published vmm program's processor in software goes when Debian boots
      machines [kvm|software] [COUNT]
                      many VMs in one process: memory of an idle one, and how many come and go in a second
      kvm [PAIRS]     exits, lifecycle and kicks of the KVM backend, each beside the same loop in C (needs gcc)
    """);
return 64;
