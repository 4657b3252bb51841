// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Benchmarks.Kvm;

if (args is ["kvm", .. string[] rest])
{
    return KvmPairs.Run(rest);
}

Console.Error.WriteLine("""
    usage: dotnet run -c Release --project Vmm.Benchmarks -- GROUP [ARGUMENT ...]

      kvm [PAIRS]     exits, lifecycle and kicks of the KVM backend, each beside the same loop in C (needs gcc)
    """);
return 64;
