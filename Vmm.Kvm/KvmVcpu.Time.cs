// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Errors;
using Vmm.Kvm.Interop;

namespace Vmm.Kvm;

/// <content>Time-stamp counter and paravirtual clock.</content>
internal sealed partial class KvmVcpu : IBackendVcpuTime
{
    /// <inheritdoc/>
    public bool TakesTscOffset => _vm.Backend.TakesTscOffset;

    /// <inheritdoc/>
    public bool TryGetTscOffset(out ulong offset)
    {
        offset = 0;
        if (!_vm.Has(KvmCapability.VcpuAttributes)
            || !_fd.HasDeviceAttr(KvmConstants.VcpuTscCtrl, KvmConstants.VcpuTscOffset))
        {
            return false;
        }

        offset = _fd.GetDeviceAttr(KvmConstants.VcpuTscCtrl, KvmConstants.VcpuTscOffset);
        return true;
    }

    /// <inheritdoc/>
    public long TscFrequency => Math.Max(_fd.GetTscKhz(), 0) * 1000L;

    /// <inheritdoc/>
    public bool TrySetTscOffset(ulong offset)
    {
        if (!TakesTscOffset)
        {
            return false;
        }

        _fd.SetDeviceAttr(KvmConstants.VcpuTscCtrl, KvmConstants.VcpuTscOffset, offset);
        return true;
    }

    /// <inheritdoc/>
    public bool TryTellPause()
    {
        if (!_vm.Has(KvmCapability.KvmclockCtrl))
        {
            return false;
        }

        try
        {
            WriteBack();
            _fd.KvmclockCtrl();
            return true;
        }
        catch (VmmException refusal) when (refusal.Error == VmmError.EINVAL)
        {
            // The guest has not told KVM where it wants the clock.
            return false;
        }
    }

    /// <summary>Whether an offset of the time-stamp counter reads back, tried out on a VM of its own.</summary>
    internal static bool FindTscOffset(KvmSystemFd system)
    {
        const ulong Moved = 1 << 30;
        const uint Group = KvmConstants.VcpuTscCtrl;
        const ulong Attribute = KvmConstants.VcpuTscOffset;
        using KvmVmFd vm = system.CreateVm();
        if (vm.CheckExtension(KvmCapability.VcpuAttributes) <= 0)
        {
            return false;
        }

        using KvmVcpuFd vcpu = vm.CreateVcpu(0);
        if (!vcpu.HasDeviceAttr(Group, Attribute))
        {
            return false;
        }

        ulong wanted = unchecked(vcpu.GetDeviceAttr(Group, Attribute) - Moved);
        vcpu.SetDeviceAttr(Group, Attribute, wanted);
        return vcpu.GetDeviceAttr(Group, Attribute) == wanted;
    }
}
