// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary>KVM_GET_MSRS and KVM_SET_MSRS with their partial success.</summary>
internal static class MsrTransfer
{
    private const int OnStack = 64;

    /// <summary>Reads MSRs; returns how many were read before the first that was refused.</summary>
    public static int Get(Descriptor descriptor, Span<KvmMsrEntry> entries, KvmCapability? needs)
    {
        Span<byte> buffer = Room(entries.Length, stackalloc byte[Size(Math.Min(entries.Length, OnStack))]);
        Fill(buffer, entries);
        int done = descriptor.TryVariable(KvmRequests.GetMsrs.Code, buffer);
        if (done < 0)
        {
            throw descriptor.Refusal(KvmRequests.GetMsrs.Name, needs, -done);
        }

        int read = Math.Min(done, entries.Length);
        MemoryMarshal.Cast<byte, KvmMsrEntry>(buffer[Unsafe.SizeOf<KvmMsrs>()..])[..read].CopyTo(entries);
        return read;
    }

    /// <summary>Writes MSRs; returns how many were written before the first that was refused.</summary>
    public static int Set(Descriptor descriptor, ReadOnlySpan<KvmMsrEntry> entries)
    {
        Span<byte> buffer = Room(entries.Length, stackalloc byte[Size(Math.Min(entries.Length, OnStack))]);
        Fill(buffer, entries);
        int done = descriptor.TryVariable(KvmRequests.SetMsrs.Code, buffer);
        return done >= 0
            ? Math.Min(done, entries.Length)
            : throw descriptor.Refusal(KvmRequests.SetMsrs.Name, null, -done);
    }

    private static int Size(int count) => Unsafe.SizeOf<KvmMsrs>() + (count * Unsafe.SizeOf<KvmMsrEntry>());

    // Sixty-four entries cover every state transfer but the full save list, which is rare and large.
    private static Span<byte> Room(int count, Span<byte> stack) => count <= OnStack ? stack : new byte[Size(count)];

    private static void Fill(Span<byte> buffer, ReadOnlySpan<KvmMsrEntry> entries)
    {
        KvmMsrs head = default;
        head.Nmsrs = (uint)entries.Length;
        MemoryMarshal.Write(buffer, head);
        MemoryMarshal.AsBytes(entries).CopyTo(buffer[Unsafe.SizeOf<KvmMsrs>()..]);
    }
}
