// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>How an operation is executed and what CPUID must promise for each of its encodings.</summary>
/// <param name="Canonical">The legacy operation with the same meaning, if there is one, else the operation itself.</param>
/// <param name="Kind">Its operands.</param>
/// <param name="Element">Its elements.</param>
/// <param name="Narrow">The features that the legacy form or the 128-bit VEX form needs.</param>
/// <param name="Wide">The features that the 256-bit form needs.</param>
internal readonly record struct VectorOperation(
    Operation Canonical, VectorKind Kind, VectorElement Element, CpuFeatures Narrow, CpuFeatures Wide)
{
    internal bool IsScalar => Element >= VectorElement.ScalarSingle;

    internal bool IsDouble => Element is VectorElement.PackedDouble or VectorElement.ScalarDouble;
}
