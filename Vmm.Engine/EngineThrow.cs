// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics.CodeAnalysis;
using Vmm.Abstractions.Errors;

namespace Vmm.Engine;

/// <summary>Builds the engine's refusals, named after the header's functions.</summary>
internal static class EngineThrow
{
    [DoesNotReturn]
    public static void Invalid(string operation, string message) =>
        throw new VmmException(operation, VmmError.EINVAL, message);

    [DoesNotReturn]
    public static void Busy(string operation, string message) =>
        throw new VmmException(operation, VmmError.EBUSY, message);

    [DoesNotReturn]
    public static void Refuse(string operation, VmmError error, string message) =>
        throw new VmmException(operation, error, message);
}
