// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>A scope in which a vCPU's descriptor and run page stay open.</summary>
internal readonly ref struct KvmVcpuSession
{
    private readonly KvmVcpuFd _vcpu;

    /// <summary>Opens the scope.</summary>
    /// <param name="vcpu">The vCPU.</param>
    /// <exception cref="ObjectDisposedException">The vCPU is closed already.</exception>
    public KvmVcpuSession(KvmVcpuFd vcpu)
    {
        vcpu.BeginSession();
        _vcpu = vcpu;
        Page = ref vcpu.Page.Run;
    }

    /// <summary>The head of the run page.</summary>
    public readonly ref KvmRun Page;

    /// <summary>KVM_RUN; see <see cref="KvmVcpuFd.RunInSession"/>.</summary>
    public int Run() => _vcpu.RunInSession();

    /// <summary>Ends the scope.</summary>
    public void Dispose() => _vcpu.EndSession();
}
