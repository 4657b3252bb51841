// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>The elements that a vector operation works on.</summary>
internal enum VectorElement : byte
{
    Integer,
    PackedSingle,
    PackedDouble,
    ScalarSingle,
    ScalarDouble,
}
