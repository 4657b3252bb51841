// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.State;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine.State;

namespace Vmm.Engine;

/// <content>State by class: who has it, and what is looked at before it is asked.</content>
public sealed partial class VirtualMachine : IVmmData
{
    private const VmmDataFlags KnownDataFlags = VmmDataFlags.ReadCopyIn | VmmDataFlags.WriteCopyOut;

    /// <inheritdoc/>
    public VmmDataResult ReadData(IVcpuFreeze freeze, VmmDataRequest request)
    {
        RequireFreeze(freeze);
        return Transfer(request, null, isWrite: false);
    }

    /// <inheritdoc/>
    public VmmDataResult ReadData(VcpuId vcpu, VmmDataRequest request) => Transfer(request, vcpu, isWrite: false);

    /// <inheritdoc/>
    public VmmDataResult WriteData(IVcpuFreeze freeze, VmmDataRequest request)
    {
        RequireFreeze(freeze);
        return Transfer(request, null, isWrite: true);
    }

    /// <inheritdoc/>
    public VmmDataResult WriteData(VcpuId vcpu, VmmDataRequest request) => Transfer(request, vcpu, isWrite: true);

    private VmmDataResult Transfer(VmmDataRequest request, VcpuId vcpu, bool isWrite)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        if (vcpu.Value < 0 || vcpu.Value >= _vcpus.Length)
        {
            return new VmmDataResult(VmmError.EINVAL, 0);
        }

        VirtualCpu cpu = _vcpus[vcpu.Value];
        using IDisposable owned = cpu.Acquire();
        return Transfer(request, cpu, isWrite);
    }

    private VmmDataResult Transfer(VmmDataRequest request, VirtualCpu? cpu, bool isWrite)
    {
        if ((request.Flags & ~KnownDataFlags) != 0)
        {
            return new VmmDataResult(VmmError.EINVAL, 0);
        }

        foreach (VmmDataVersionEntry entry in VmmDataVersionEntry.All)
        {
            if (entry.DataClass != request.DataClass || entry.Version != request.Version || FindData(entry, cpu) is not { } source)
            {
                continue;
            }

            if (request.Data.Length < entry.ExpectedLength)
            {
                return new VmmDataResult(VmmError.ENOSPC, entry.ExpectedLength);
            }

            return isWrite ? source.Write(request) : source.Read(request);
        }

        return new VmmDataResult(VmmError.EINVAL, 0);
    }

    /// <summary>Who has a class of state; null where it belongs to no vCPU, to a vCPU alone, or to a chip that this VM lacks.</summary>
    private IVmmDataSource? FindData(VmmDataVersionEntry entry, VirtualCpu? cpu) => (entry.DataClass, cpu) switch
    {
        (VmmDataClass.Msr, not null) => new MsrData(cpu, entry),
        (VmmDataClass.VmmArch, not null) => new EventData(cpu, entry),
        (VmmDataClass.LocalApic, not null) => HasLocalApics ? new LocalApicData(cpu, entry) : _hypervisorChips?.FindLocalApic(cpu),
        (VmmDataClass.Version, null) => new VersionData(entry, PresentData()),
        (VmmDataClass.VmmArch, null) => new TimeData(this, entry),
        (VmmDataClass.IoApic, null) => (IVmmDataSource?)_hypervisorChips?.IoApic ?? _chips?.IoApic,
        (VmmDataClass.AtPic, null) => (IVmmDataSource?)_hypervisorChips?.AtPic ?? _chips?.AtPic,
        (VmmDataClass.AtPit, null) => (IVmmDataSource?)_hypervisorChips?.AtPit ?? _chips?.AtPit,
        (VmmDataClass.Hpet, null) => _chips?.Hpet,
        (VmmDataClass.PmTimer, null) => _chips?.PmTimer,
        (VmmDataClass.Rtc, null) => _chips?.Rtc,
        _ => null,
    };

    private VmmDataVersionEntry[] PresentData() =>
    [
        .. VmmDataVersionEntry.All.Where(entry => entry.DataClass == VmmDataClass.Version
            || (FindData(entry, null) ?? FindData(entry, _vcpus[0])) is not null),
    ];
}
