// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>Reciprocals with an error below 1.5 * 2^-12, as the host's processor has them.</summary>
internal static class PackedApproximation
{
    internal static Vector128<byte> Compute(Vector128<byte> value, bool isReciprocal)
        => (isReciprocal ? Sse.Reciprocal(value.AsSingle()) : Sse.ReciprocalSqrt(value.AsSingle())).AsByte();
}
