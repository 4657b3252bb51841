// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Tests.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>
/// The executor against the processor: every form that user mode can execute, in a guest at CPL 3, with exceptions delivered
/// through the guest's IDT. Everything that ends up in registers and memory must be equal, flags left undefined excepted.
/// </summary>
[Category("Kvm")]
[NonParallelizable]
public sealed class UserOracleTests
{
    [Test]
    public void Forms_behave_as_on_the_processor() => OracleTest.Run(OracleMode.User64, UserForms(), states: 5);

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Forms_behave_as_on_the_processor_in_many_states() => OracleTest.Run(OracleMode.User64, UserForms(), states: 200, OracleTest.LongSeed);

    /// <summary>The block that begins with the instruction becomes a method of the host's runtime, which the processor is the reference of.</summary>
    [Test]
    public void Translated_forms_behave_as_on_the_processor() => OracleTest.Run(OracleMode.User64, UserForms(), states: 2, translates: true);

    [Test]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Translated_forms_behave_as_on_the_processor_in_many_states() =>
        OracleTest.Run(OracleMode.User64, UserForms(), states: 200, OracleTest.LongSeed, translates: true);

    private static IEnumerable<InstructionForm> UserForms() =>
        InstructionForms.Sweep(CodeSize.Bits64).Where(static form => OracleExclusions.Reason(form, OracleMode.User64) is null
            && !VectorOracleTests.IsVector(form.Operation) && !VectorOracleTests.IsX87(form.Operation));
}
