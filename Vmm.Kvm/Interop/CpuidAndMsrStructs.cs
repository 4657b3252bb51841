// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary><c>kvm_cpuid_entry2</c>. One CPUID leaf or subleaf.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmCpuidEntry2
{
    public uint Function;
    public uint Index;
    public uint Flags;
    public uint Eax;
    public uint Ebx;
    public uint Ecx;
    public uint Edx;
    public InlineBuffer3<uint> Padding;
}

/// <summary><c>kvm_cpuid2</c>. The count in front of an array of kvm_cpuid_entry2.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmCpuid2
{
    public uint Nent;
    public uint Padding;
}

/// <summary><c>kvm_msr_entry</c>. One model-specific register and its value.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsrEntry
{
    public uint Index;
    public uint Reserved;
    public ulong Data;
}

/// <summary><c>kvm_msrs</c>. The count in front of an array of kvm_msr_entry.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsrs
{
    public uint Nmsrs;
    public uint Pad;
}

/// <summary><c>kvm_msr_list</c>. The count in front of an array of MSR indices.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsrList
{
    public uint Nmsrs;
}

/// <summary><c>kvm_msr_filter_range</c>. A range of MSRs with the address of a bitmap in which a set bit allows the accesses named by the flags.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsrFilterRange
{
    public uint Flags;
    public uint Nmsrs;
    public uint Base;
    public ulong Bitmap;
}

/// <summary><c>kvm_msr_filter</c>. The default action and the sixteen ranges of the MSR filter; a range with no flags is unused.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmMsrFilter
{
    public uint Flags;
    public InlineBuffer16<KvmMsrFilterRange> Ranges;
}

/// <summary><c>kvm_pmu_event_filter</c>. The head of a PMU event filter; the events, 8 bytes each, follow it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KvmPmuEventFilter
{
    public uint Action;
    public uint Nevents;
    public uint FixedCounterBitmap;
    public uint Flags;
    public InlineBuffer4<uint> Pad;
}
