// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Tests.Support;

/// <summary>
/// A 64-bit guest whose code only the engine executes: the scripted backend behind it interprets kernel mode. Either its kernel is carried,
/// or the backend gives up on each instruction that it is to execute and a batch follows.
/// </summary>
internal static class CarriedGuest
{
    public static LongModeMachine Create(
        bool carries = true, int cpus = 1, Func<VirtualMachineOptions, VirtualMachineOptions>? configure = null)
    {
        FakeBackend backend = new()
        {
            Description = new("fake", HostVirtualization.Unknown, MaxCpus: 256, CpuidFixedAfterRun: true)
            {
                InterpretsKernelMode = true,
                RecordsWrittenPages = true,
            },
        };
        LongModeMachine guest = new(backend, cpus: cpus, configure: options =>
        {
            options = options with { CarriesFromStart = carries };
            return configure is null ? options : configure(options);
        });
        for (int id = 0; id < cpus; id++)
        {
            FakeVcpu vcpu = Of(guest, id);
            vcpu.CanRunOne = carries;
            vcpu.WhenEmpty = carries ? null : GiveUp;
        }

        return guest;
    }

    /// <summary>The backend's side of a vCPU.</summary>
    public static FakeVcpu Of(LongModeMachine guest, int id = 0) => ((FakeVm)guest.Machine.BackendVm).Vcpu(id);

    private static void GiveUp(FakeVcpu vcpu, ref VmExit exit) => exit.SetInstructionEmulation(
        new InstructionEmulationExit([0x0f, 0x0b], 1, 1), vcpu.GetRegister(RegisterName.Rip));
}
