// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Machine.Board;

namespace Vmm.Cli;

/// <summary>
/// What the process returns. All but success are even, because a guest's debug exit is odd: the two cannot be confused.
/// </summary>
internal static class ExitCodes
{
    public const int Success = 0;

    /// <summary>A check of the demo failed, or the host cannot run guests as the doctor would like.</summary>
    public const int CheckFailed = 2;

    public const int Usage = 64;
    public const int BadInput = 66;
    public const int NoHypervisor = 68;
    public const int HostError = 70;
    public const int Reset = 80;
    public const int Halt = 82;
    public const int TripleFault = 84;
    public const int EmulationFailure = 86;
    public const int HypervisorFailure = 88;
    public const int UnansweredMsr = 90;
    public const int Timeout = 124;
    public const int Stopped = 130;

    /// <summary>The exit code of a machine's end.</summary>
    public static int Of(MachineResult result) => result.End switch
    {
        MachineEnd.PowerOff => Success,
        MachineEnd.Reset => Reset,
        MachineEnd.Halt => Halt,
        MachineEnd.TripleFault => TripleFault,
        MachineEnd.DebugExit => result.DebugExitCode.GetValueOrDefault(1) & 0xff,
        MachineEnd.EmulationFailure => EmulationFailure,
        MachineEnd.HypervisorFailure => HypervisorFailure,
        MachineEnd.UnansweredMsr => UnansweredMsr,
        MachineEnd.Timeout => Timeout,
        MachineEnd.Stopped => Stopped,
        _ => HostError,
    };
}
