// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Tests.Emulation.Instructions.Execution;

namespace Vmm.Tests.Emulation.Instructions.Oracle;

/// <summary>
/// The executor against KVM at CPL 0 and outside 64-bit mode. On a host that runs user mode only this compares with KVM's emulator, of
/// which <see cref="KvmDifferences"/> lists what it does otherwise; what it does not have is counted and shows nothing.
/// </summary>
[Category("Kvm")]
[NonParallelizable]
public sealed class KernelOracleTests
{
    private static readonly OracleMode[] s_modes = [OracleMode.Kernel64, OracleMode.Protected32, OracleMode.Protected16, OracleMode.Real];

    [TestCaseSource(nameof(s_modes))]
    public void Forms_behave_as_KVM_has_them(OracleMode mode) => OracleTest.Run(mode, Forms(mode), states: 5);

    [TestCaseSource(nameof(s_modes))]
    [Category("Long")]
    [Explicit("takes minutes")]
    public void Forms_behave_as_KVM_has_them_in_many_states(OracleMode mode) => OracleTest.Run(mode, Forms(mode), states: 200, OracleTest.LongSeed);

    private static IEnumerable<InstructionForm> Forms(OracleMode mode) =>
        InstructionForms.Sweep(mode.CodeSize()).Where(form => OracleExclusions.Reason(form, mode) is null);
}
