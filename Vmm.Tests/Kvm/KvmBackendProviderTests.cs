// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Kvm;
using Vmm.Tests.Proofs;
using Vmm.Tests.Support;

namespace Vmm.Tests.Kvm;

[Category("Kvm")]
public sealed class KvmBackendProviderTests
{
    [Test]
    [Proves("vmm_mod_load", "vmm_mod_unload")]
    public void Provider_opens_a_backend_that_refuses_after_its_end()
    {
        KvmRequirement.Open().Dispose();
        IHypervisorBackend backend = new KvmBackendProvider().Open();
        Action create = () => backend.CreateVm(new BackendVmOptions("test", 1, default, false, MsrExits: false, HypercallExits: false)).Dispose();

        create.Should().NotThrow();
        backend.Dispose();

        create.Should().Throw<ObjectDisposedException>();
    }
}
