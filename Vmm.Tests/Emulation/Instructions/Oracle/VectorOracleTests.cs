// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Vectors;
using Vmm.Tests.Emulation.Instructions.Execution;
using CodeSize = Vmm.Emulation.Instructions.Decoding.CodeSize;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>
/// MMX, SSE, AVX, FMA and x87 against the processor at CPL 3: operands drawn from the special values of every format, all modes of
/// rounding, masks and flags of MXCSR and of the x87 control word. Bits of NaNs and exceptions included, all must be equal.
/// </summary>
[Category("Kvm")]
[NonParallelizable]
public sealed class VectorOracleTests
{
    [Test]
    public void Vector_forms_behave_as_on_the_processor() => OracleTest.Run(OracleMode.User64, Forms(IsVector), states: 6);

    [Test]
    public void X87_forms_behave_as_on_the_processor() => OracleTest.Run(OracleMode.User64, Forms(IsX87), states: 12);

    [Test]
    public void Translated_forms_behave_as_on_the_processor() =>
        OracleTest.Run(OracleMode.User64, Forms(static operation => IsVector(operation) || IsX87(operation)), states: 1, translates: true);

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Translated_forms_behave_as_on_the_processor_in_many_states() => OracleTest.Run(
        OracleMode.User64, Forms(static operation => IsVector(operation) || IsX87(operation)), states: 100, OracleTest.LongSeed, translates: true);

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Vector_forms_behave_as_on_the_processor_in_many_states() => OracleTest.Run(OracleMode.User64, Forms(IsVector), states: 300, OracleTest.LongSeed);

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void X87_forms_behave_as_on_the_processor_in_many_states() => OracleTest.Run(OracleMode.User64, Forms(IsX87), states: 1000, OracleTest.LongSeed);

    /// <summary>Whether a form computes with vectors; moves, logic and the state's own instructions are other forms.</summary>
    internal static bool IsVector(Operation operation) => VectorOperations.Of(operation).Kind != VectorKind.None;

    internal static bool IsX87(Operation operation) => operation is >= Operation.F2xm1 and <= Operation.Fyl2xp1;

    private static IEnumerable<InstructionForm> Forms(Func<Operation, bool> isWanted) => InstructionForms.Sweep(CodeSize.Bits64)
        .Where(form => isWanted(form.Operation) && OracleExclusions.Reason(form, OracleMode.User64) is null);
}
