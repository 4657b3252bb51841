// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>A legacy operation and its VEX form; <see cref="Operation.Invalid"/> where there is none.</summary>
/// <param name="Legacy">The legacy operation.</param>
/// <param name="Vex">The operation that VEX encodes.</param>
/// <param name="Kind">Its operands.</param>
/// <param name="Element">Its elements.</param>
/// <param name="Feature">What CPUID must promise, beside AVX for VEX forms.</param>
/// <param name="Wide">What it must promise for 256 bits; none if those have another feature that the executor does not know.</param>
internal readonly record struct VectorRow(
    Operation Legacy, Operation Vex, VectorKind Kind, VectorElement Element, CpuFeatures Feature, CpuFeatures Wide);
