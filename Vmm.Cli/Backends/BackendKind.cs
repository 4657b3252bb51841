// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Cli.Backends;

/// <summary>What <c>--backend</c> asks for.</summary>
internal enum BackendKind
{
    /// <summary>KVM where it runs guests natively, the software processor elsewhere.</summary>
    Auto = 0,

    /// <summary>KVM, or no guest.</summary>
    Kvm,

    /// <summary>The processor in software.</summary>
    Software,
}
