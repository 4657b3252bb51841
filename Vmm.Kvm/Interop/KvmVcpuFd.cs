// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary>
/// A virtual CPU's descriptor and run page: one method per request.
/// </summary>
/// <remarks>
/// Only the thread that runs the vCPU may call these methods: the kernel holds the vCPU's lock for the whole of KVM_RUN,
/// so that any other thread would wait for the next exit. The exceptions are the run page's immediate-exit flag and
/// disposal, which only takes effect once no session and no call is under way. Other parts: registers, state.
/// </remarks>
internal sealed partial class KvmVcpuFd : Descriptor
{
    private static readonly nuint s_run = KvmRequests.Run.Code;

    private readonly RunPage? _page;

    /// <summary>Takes over the descriptor and the page of a new vCPU.</summary>
    internal KvmVcpuFd(int fd, KvmVmFd vm, RunPage page)
        : base(fd, vm)
    {
        bool held = false;
        page.DangerousAddRef(ref held);
        _page = page;
    }

    /// <summary>The run page; it stays mapped as long as this handle is open.</summary>
    public RunPage Page => _page!;

    /// <summary>Opens a session: until <see cref="EndSession"/>, descriptor and page stay open whatever else happens.</summary>
    /// <remarks>One session may span any number of runs, so that a run itself counts no references.</remarks>
    /// <exception cref="ObjectDisposedException">The vCPU is closed already.</exception>
    public void BeginSession()
    {
        bool held = false;
        DangerousAddRef(ref held);
    }

    /// <summary>Ends a session; once for each <see cref="BeginSession"/>.</summary>
    public void EndSession() => DangerousRelease();

    /// <summary>A session that ends with its scope.</summary>
    public KvmVcpuSession OpenSession() => new(this);

    /// <summary>KVM_RUN, inside a session.</summary>
    /// <returns>
    /// Zero after an exit, whose reason is in the page; else the error number: EINTR after a signal or an immediate exit,
    /// EAGAIN when the vCPU has just left its wait for a start-up interrupt.
    /// </returns>
    public int RunInSession()
    {
        // SAFETY of the bare number: the session's reference keeps the descriptor from being closed or reused.
        if (LibC.ioctl_uncaptured(Number, s_run, 0) == 0)
        {
            return 0;
        }

        return Marshal.GetLastSystemError();
    }

    /// <summary>KVM_ENABLE_CAP on the vCPU; needs KVM_CAP_ENABLE_CAP and the capability itself.</summary>
    /// <param name="capability">The capability.</param>
    /// <param name="arguments">At most four arguments, as the capability defines them.</param>
    public void EnableCap(KvmCapability capability, params ReadOnlySpan<ulong> arguments)
    {
        // The kernel accepts some switches that its hardware cannot honour (KVM_CAP_X86_BUS_LOCK_EXIT is one).
        if (ProbeExtension(capability) == 0)
        {
            throw KvmThrow.Missing(KvmRequests.EnableCap.Name, capability);
        }

        KvmEnableCap argument = new() { Cap = (uint)capability };
        Span<ulong> slots = argument.Args;
        arguments.CopyTo(slots);
        Ioctl(KvmRequests.EnableCap, argument, capability);
    }

    /// <summary>KVM_SET_SIGNAL_MASK: the signals blocked while the guest runs; null keeps the thread's own mask.</summary>
    /// <param name="mask">The kernel's 64-bit set, see <see cref="SignalSet.KernelBit"/>.</param>
    public unsafe void SetSignalMask(ulong? mask)
    {
        int result;
        if (mask is { } set)
        {
            // The head is four bytes and the set follows it without padding.
            Span<byte> argument = stackalloc byte[sizeof(KvmSignalMask) + sizeof(ulong)];
            MemoryMarshal.Write(argument, new KvmSignalMask { Len = sizeof(ulong) });
            MemoryMarshal.Write(argument[sizeof(KvmSignalMask)..], set);
            result = TryIoctl(KvmRequests.SetSignalMask.Code, argument);
        }
        else
        {
            result = TryIoctl(KvmRequests.SetSignalMask.Code, (void*)null);
        }

        Checked(KvmRequests.SetSignalMask.Name, KvmRequests.SetSignalMask.Capability, result);
    }

    /// <summary>KVM_GET_STATS_FD of the vCPU.</summary>
    public KvmStatsFd GetStatsFd() => new(Ioctl(KvmRequests.GetStatsFd), this);

    /// <summary>Maps the dirty ring; needs the ring enabled on the VM before this vCPU was created.</summary>
    /// <param name="bytes">The size it was enabled with.</param>
    public DirtyRing MapDirtyRing(uint bytes)
    {
        using DescriptorUse use = new(this);
        return DirtyRing.Map(use.Number, bytes);
    }

    /// <summary>KVM_HAS_DEVICE_ATTR on the vCPU; needs KVM_CAP_VCPU_ATTRIBUTES.</summary>
    public bool HasDeviceAttr(uint group, ulong attribute) =>
        DeviceAttributes.Has(this, group, attribute, KvmCapability.VcpuAttributes);

    /// <summary>KVM_GET_DEVICE_ATTR on the vCPU, such as the TSC offset; needs KVM_CAP_VCPU_ATTRIBUTES.</summary>
    public ulong GetDeviceAttr(uint group, ulong attribute)
    {
        ulong value = 0;
        DeviceAttributes.Get(this, group, attribute, ref value, KvmCapability.VcpuAttributes);
        return value;
    }

    /// <summary>KVM_SET_DEVICE_ATTR on the vCPU; needs KVM_CAP_VCPU_ATTRIBUTES.</summary>
    public void SetDeviceAttr(uint group, ulong attribute, ulong value) =>
        DeviceAttributes.Set(this, group, attribute, value, KvmCapability.VcpuAttributes);

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        // The mapping keeps the kernel's vCPU alive by itself, so it goes with the descriptor. It is absent only where
        // the constructor failed because the VM had been closed.
        _page?.Dispose();
        _page?.DangerousRelease();
        return base.ReleaseHandle();
    }
}
