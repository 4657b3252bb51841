// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics.CodeAnalysis;
using Vmm.Abstractions.Errors;

namespace Vmm.Emulation.Interrupts;

/// <summary>The refusals of the interrupt controllers, which their contracts document.</summary>
internal static class ChipThrow
{
    [DoesNotReturn]
    public static void Invalid(string operation, string what) => throw new VmmException(operation, VmmError.EINVAL, what);

    [DoesNotReturn]
    public static void TooMany(string operation, int pin) =>
        throw new VmmException(operation, VmmError.E2BIG, $"pin {pin} is asserted as often as its counter can count");

    [DoesNotReturn]
    public static void NotAsserted(string operation, int pin) =>
        throw new VmmException(operation, VmmError.ERANGE, $"pin {pin} is not asserted");
}
