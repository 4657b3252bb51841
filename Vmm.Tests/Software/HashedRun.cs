// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Abstractions.Machine;
using Vmm.Emulation.Timers;
using Vmm.Machine.Board;
using Vmm.Software;

namespace Vmm.Tests.Software;

/// <summary>How a PC ended that ran on time which its instructions make, and where it was at each checkpoint.</summary>
/// <param name="Hash">Of memory and registers at the end.</param>
/// <param name="Instructions">How many there were.</param>
/// <param name="Checkpoints">Instructions and hash at each.</param>
internal sealed record HashedRun(string Hash, long Instructions, List<string> Checkpoints)
{
    /// <summary>Runs a guest until it is halted for good.</summary>
    /// <param name="options">The processor's options; their time is set here.</param>
    /// <param name="seed">Of the guest's entropy.</param>
    /// <param name="interval">Instructions between two checkpoints.</param>
    /// <param name="load">Loads the guest.</param>
    public static HashedRun Run(SoftwareBackendOptions options, ulong seed, long interval, Action<PcMachine> load)
    {
        ManualClock clock = new();
        List<string> checkpoints = [];
        PcMachine? machine = null;
        InstructionTime time = new(clock, seed)
        {
            CheckpointInterval = interval,
            Checkpoint = instructions => checkpoints.Add(string.Create(CultureInfo.InvariantCulture, $"{instructions} {machine!.ComputeHash()}")),
        };
        using SoftwareBackend backend = new(options with { Time = time });
        using (machine = PcMachine.Create(backend, new PcOptions
        {
            MemorySize = 2 << 20,
            InterruptControllerMode = InterruptControllerMode.Userspace,
            Clock = clock,
            StartTime = DateTimeOffset.UnixEpoch,
            Timeout = TimeSpan.FromMinutes(1),
        }))
        {
            load(machine);
            MachineResult result = machine.Run();
            result.End.Should().Be(MachineEnd.Halt, result.Detail);
            return new HashedRun(machine.ComputeHash(), time.Instructions, checkpoints);
        }
    }
}
