// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Events;

/// <summary>The names of exceptions as the manuals write them.</summary>
public static class ExceptionVectorText
{
    /// <summary>The mnemonic, such as <c>#GP</c>; the number for a vector that has none.</summary>
    /// <param name="vector">The vector.</param>
    /// <returns>The mnemonic.</returns>
    public static string ToMnemonic(this ExceptionVector vector) => vector switch
    {
        ExceptionVector.DivideError => "#DE",
        ExceptionVector.Debug => "#DB",
        ExceptionVector.Nmi => "NMI",
        ExceptionVector.Breakpoint => "#BP",
        ExceptionVector.Overflow => "#OF",
        ExceptionVector.BoundRange => "#BR",
        ExceptionVector.InvalidOpcode => "#UD",
        ExceptionVector.DeviceNotAvailable => "#NM",
        ExceptionVector.DoubleFault => "#DF",
        ExceptionVector.InvalidTss => "#TS",
        ExceptionVector.SegmentNotPresent => "#NP",
        ExceptionVector.StackFault => "#SS",
        ExceptionVector.GeneralProtection => "#GP",
        ExceptionVector.PageFault => "#PF",
        ExceptionVector.X87 => "#MF",
        ExceptionVector.AlignmentCheck => "#AC",
        ExceptionVector.MachineCheck => "#MC",
        ExceptionVector.Simd => "#XM",
        ExceptionVector.Virtualization => "#VE",
        ExceptionVector.ControlProtection => "#CP",
        _ => $"exception {(int)vector}",
    };
}
