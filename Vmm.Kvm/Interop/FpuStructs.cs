// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary><c>kvm_fpu</c>. The x87 and SSE state in unpacked form.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmFpu
{
    public InlineBuffer8<KvmFpuRegister> Fpr;
    public ushort Fcw;
    public ushort Fsw;
    public byte Ftwx;
    public byte Pad1;
    public ushort LastOpcode;
    public ulong LastIp;
    public ulong LastDp;
    public InlineBuffer16<KvmFpuRegister> Xmm;
    public uint Mxcsr;
    public uint Pad2;
}

/// <summary><c>kvm_xsave</c>. An XSAVE area of the classic size (4096 bytes), laid out as CPUID leaf 0xD of the host says.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmXsave
{
    public InlineBuffer1024<uint> Region;
}

/// <summary><c>kvm_xcr</c>. One extended control register.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmXcr
{
    public uint Xcr;
    public uint Reserved;
    public ulong Value;
}

/// <summary><c>kvm_xcrs</c>. The extended control registers.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmXcrs
{
    public uint NrXcrs;
    public uint Flags;
    public InlineBuffer16<KvmXcr> Xcrs;
    public InlineBuffer16<ulong> Padding;
}

/// <summary>Sixteen bytes: one x87 or SSE register.</summary>
[InlineArray(16)]
internal struct KvmFpuRegister
{
    private byte _element0;
}
