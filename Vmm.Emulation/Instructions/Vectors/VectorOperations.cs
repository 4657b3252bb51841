// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Execution;

namespace Vmm.Emulation.Instructions.Vectors;

/// <summary>The vector operations by number.</summary>
internal static class VectorOperations
{
    private static readonly VectorOperation[] s_operations = Build();

    internal static ref readonly VectorOperation Of(Operation operation) => ref s_operations[(int)operation];

    private static VectorOperation[] Build()
    {
        VectorOperation[] operations = new VectorOperation[(int)Enum.GetValues<Operation>().Max() + 1];
        foreach (VectorRow row in (ReadOnlySpan<VectorRow>)[.. IntegerRows.All, .. FloatRows.All, .. AvxRows.All])
        {
            if (row.Legacy != Operation.Invalid)
            {
                operations[(int)row.Legacy] = new(row.Legacy, row.Kind, row.Element, row.Feature, CpuFeatures.None);
            }

            if (row.Vex != Operation.Invalid)
            {
                // AES-NI and PCLMULQDQ keep their own bit beside AVX; the older extensions are part of it.
                bool isOwn = row.Legacy == Operation.Invalid || row.Feature is CpuFeatures.Aes or CpuFeatures.Pclmulqdq;
                CpuFeatures narrow = isOwn ? row.Feature | CpuFeatures.Avx : CpuFeatures.Avx;
                Operation canonical = row.Legacy == Operation.Invalid ? row.Vex : row.Legacy;
                operations[(int)row.Vex] = new(canonical, row.Kind, row.Element, narrow, row.Wide == CpuFeatures.None ? row.Wide : row.Wide | narrow);
            }
        }

        return operations;
    }
}
