// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <content>Registers, floating point, CPUID and MSRs.</content>
internal sealed partial class KvmVcpuFd
{
    private int _xsaveLength;

    /// <summary>KVM_GET_REGS.</summary>
    public void GetRegs(out KvmRegs registers) => Ioctl(KvmRequests.GetRegs, out registers);

    /// <summary>KVM_SET_REGS; a pending exception is dropped by the kernel.</summary>
    public void SetRegs(in KvmRegs registers) => Ioctl(KvmRequests.SetRegs, registers);

    /// <summary>KVM_GET_SREGS.</summary>
    public void GetSregs(out KvmSregs registers) => Ioctl(KvmRequests.GetSregs, out registers);

    /// <summary>KVM_SET_SREGS.</summary>
    public void SetSregs(in KvmSregs registers) => Ioctl(KvmRequests.SetSregs, registers);

    /// <summary>KVM_GET_SREGS2.</summary>
    public void GetSregs2(out KvmSregs2 registers) => Ioctl(KvmRequests.GetSregs2, out registers);

    /// <summary>KVM_SET_SREGS2.</summary>
    public void SetSregs2(in KvmSregs2 registers) => Ioctl(KvmRequests.SetSregs2, registers);

    /// <summary>KVM_GET_FPU.</summary>
    public void GetFpu(out KvmFpu state) => Ioctl(KvmRequests.GetFpu, out state);

    /// <summary>KVM_SET_FPU.</summary>
    public void SetFpu(in KvmFpu state) => Ioctl(KvmRequests.SetFpu, state);

    /// <summary>The bytes of the extended state: what KVM_CAP_XSAVE2 says on the VM, 4096 without it.</summary>
    public int XsaveLength
    {
        get
        {
            if (_xsaveLength == 0)
            {
                _xsaveLength = Math.Max(ProbeExtension(KvmCapability.Xsave2), Unsafe.SizeOf<KvmXsave>());
            }

            return _xsaveLength;
        }
    }

    /// <summary>KVM_GET_XSAVE: the first 4096 bytes of the extended state.</summary>
    public void GetXsave(out KvmXsave state) => Ioctl(KvmRequests.GetXsave, out state);

    /// <summary>KVM_SET_XSAVE from a classic area.</summary>
    /// <exception cref="InvalidOperationException">This VM's area is larger; the other overload takes it.</exception>
    public void SetXsave(in KvmXsave state)
    {
        // The kernel reads as many bytes as KVM_CAP_XSAVE2 says, whatever the request's size.
        if (XsaveLength > Unsafe.SizeOf<KvmXsave>())
        {
            throw new InvalidOperationException($"the extended state of this VM has {XsaveLength} bytes");
        }

        Ioctl(KvmRequests.SetXsave, state);
    }

    /// <summary>KVM_GET_XSAVE2.</summary>
    /// <param name="state">Receives <see cref="XsaveLength"/> bytes.</param>
    public void GetXsave2(Span<byte> state)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(state.Length, XsaveLength, nameof(state));
        Checked(
            KvmRequests.GetXsave2.Name,
            KvmRequests.GetXsave2.Capability,
            TryIoctl(KvmRequests.GetXsave2.Code, state));
    }

    /// <summary>KVM_SET_XSAVE from an area of any size.</summary>
    /// <param name="state">At least <see cref="XsaveLength"/> bytes.</param>
    public unsafe void SetXsave(ReadOnlySpan<byte> state)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(state.Length, XsaveLength, nameof(state));

        // SAFETY: pinned for the call and as long as the kernel reads; the kernel does not write.
        fixed (byte* pointer = state)
        {
            Checked(
                KvmRequests.SetXsave.Name,
                KvmRequests.SetXsave.Capability,
                TryIoctl(KvmRequests.SetXsave.Code, pointer));
        }
    }

    /// <summary>KVM_GET_XCRS.</summary>
    public void GetXcrs(out KvmXcrs registers) => Ioctl(KvmRequests.GetXcrs, out registers);

    /// <summary>KVM_SET_XCRS.</summary>
    public void SetXcrs(in KvmXcrs registers) => Ioctl(KvmRequests.SetXcrs, registers);

    /// <summary>KVM_GET_DEBUGREGS.</summary>
    public void GetDebugregs(out KvmDebugregs registers) => Ioctl(KvmRequests.GetDebugregs, out registers);

    /// <summary>KVM_SET_DEBUGREGS.</summary>
    public void SetDebugregs(in KvmDebugregs registers) => Ioctl(KvmRequests.SetDebugregs, registers);

    /// <summary>KVM_GET_MSRS.</summary>
    /// <param name="entries">The indices in; the data of those that were read out.</param>
    /// <returns>How many were read before the first that was refused.</returns>
    public int GetMsrs(Span<KvmMsrEntry> entries) => MsrTransfer.Get(this, entries, null);

    /// <summary>KVM_SET_MSRS.</summary>
    /// <returns>How many were written before the first that was refused; those stay written.</returns>
    public int SetMsrs(ReadOnlySpan<KvmMsrEntry> entries) => MsrTransfer.Set(this, entries);

    /// <summary>KVM_GET_MSRS for one MSR; false when it is refused.</summary>
    public bool TryGetMsr(uint index, out ulong value)
    {
        KvmMsrEntry entry = new() { Index = index };
        bool read = GetMsrs(new Span<KvmMsrEntry>(ref entry)) == 1;
        value = entry.Data;
        return read;
    }

    /// <summary>KVM_SET_MSRS for one MSR; false when it is refused.</summary>
    public bool TrySetMsr(uint index, ulong value)
    {
        KvmMsrEntry entry = new() { Index = index, Data = value };
        return SetMsrs(new ReadOnlySpan<KvmMsrEntry>(in entry)) == 1;
    }

    /// <summary>KVM_SET_CPUID2; after the first run only an equal table is accepted, else EINVAL.</summary>
    public void SetCpuid2(ReadOnlySpan<KvmCpuidEntry2> entries)
    {
        using VariableArgument<KvmCpuid2, KvmCpuidEntry2> argument = new(entries.Length);
        argument.Head.Nent = (uint)entries.Length;
        entries.CopyTo(argument.Elements);
        Checked(
            KvmRequests.SetCpuid2.Name,
            KvmRequests.SetCpuid2.Capability,
            TryIoctl(KvmRequests.SetCpuid2.Code, argument.Bytes));
    }

    /// <summary>KVM_GET_CPUID2.</summary>
    public KvmCpuidEntry2[] GetCpuid2() =>
        KvmSystemFd.CpuidOf(this, KvmRequests.GetCpuid2, KvmRequests.GetCpuid2.Capability);

    /// <summary>KVM_GET_SUPPORTED_HV_CPUID on the vCPU.</summary>
    public KvmCpuidEntry2[] GetSupportedHvCpuid() =>
        KvmSystemFd.CpuidOf(this, KvmRequests.GetSupportedHvCpuid, KvmRequests.GetSupportedHvCpuid.Capability);

    /// <summary>KVM_SET_TSC_KHZ; needs KVM_CAP_TSC_CONTROL unless it is the host's frequency.</summary>
    public void SetTscKhz(uint kilohertz) => Ioctl(KvmRequests.SetTscKhz, (nint)kilohertz);

    /// <summary>KVM_GET_TSC_KHZ.</summary>
    /// <exception cref="VmmException">EIO: the host's TSC is not stable.</exception>
    public int GetTscKhz() => Ioctl(KvmRequests.GetTscKhz);

    /// <summary>KVM_GET_ONE_REG of a 64-bit register.</summary>
    /// <param name="id">The register; bits 52 to 55 must say eight bytes.</param>
    public unsafe ulong GetOneReg(ulong id)
    {
        CheckEightBytes(id);
        ulong value = 0;

        // SAFETY: eight bytes of a local on this stack; the identifier says that the kernel writes as many.
        Ioctl(KvmRequests.GetOneReg, new KvmOneReg { Id = id, Addr = (ulong)&value });
        return value;
    }

    /// <summary>KVM_SET_ONE_REG of a 64-bit register.</summary>
    /// <param name="id">The register; bits 52 to 55 must say eight bytes.</param>
    /// <param name="value">The value.</param>
    public unsafe void SetOneReg(ulong id, ulong value)
    {
        CheckEightBytes(id);

        // SAFETY: eight bytes of a parameter on this stack.
        Ioctl(KvmRequests.SetOneReg, new KvmOneReg { Id = id, Addr = (ulong)&value });
    }

    /// <summary>KVM_GET_REG_LIST.</summary>
    public ulong[] GetRegList()
    {
        int count = 64;
        while (true)
        {
            using VariableArgument<KvmRegList, ulong> argument = new(count);
            argument.Head.N = (ulong)count;
            int result = TryIoctl(KvmRequests.GetRegList.Code, argument.Bytes);
            ulong wanted = argument.Head.N;
            if (result >= 0)
            {
                return argument.Elements[..(int)Math.Min(wanted, (ulong)count)].ToArray();
            }

            const ulong Limit = 65536;
            if (result != -(int)VmmError.E2BIG || wanted <= (ulong)count || wanted > Limit)
            {
                throw Failure(KvmRequests.GetRegList.Name, KvmRequests.GetRegList.Capability, -result);
            }

            count = (int)wanted;
        }
    }

    private static void CheckEightBytes(ulong id)
    {
        // KVM_REG_SIZE_MASK and KVM_REG_SIZE_U64.
        const ulong SizeMask = 0x00f0_0000_0000_0000;
        const ulong EightBytes = 0x0030_0000_0000_0000;
        if ((id & SizeMask) != EightBytes)
        {
            throw new ArgumentException($"0x{id:x16} is not a 64-bit register", nameof(id));
        }
    }
}
