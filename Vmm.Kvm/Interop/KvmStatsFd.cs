// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Vmm.Abstractions.Errors;

namespace Vmm.Kvm.Interop;

/// <summary>Binary statistics of a VM or a vCPU, as the kernel's <c>api.rst</c> lays them out. Safe from any thread.</summary>
internal sealed class KvmStatsFd : Descriptor
{
    // Today's kernels have about a hundred statistics with names of 48 bytes; more than this is not believed.
    private const uint DescriptorLimit = 16384;
    private const uint NameLimit = 4096;
    private const int ValueLimit = 65536;

    private KvmStatistic[]? _statistics;

    /// <summary>Takes a descriptor over.</summary>
    /// <param name="fd">The descriptor.</param>
    /// <param name="owner">The VM or vCPU that it is about.</param>
    public KvmStatsFd(int fd, Descriptor owner)
        : base(fd, owner)
    {
    }

    /// <summary>The head of the statistics.</summary>
    public KvmStatsHeader ReadHeader()
    {
        KvmStatsHeader header = default;
        ReadAt(MemoryMarshal.AsBytes(new Span<KvmStatsHeader>(ref header)), 0);
        return header;
    }

    /// <summary>The identity of the object, such as <c>kvm-1234</c> or <c>kvm-1234/vcpu-0</c>.</summary>
    public string ReadId()
    {
        KvmStatsHeader header = ReadHeader();
        byte[] bytes = new byte[Math.Min(header.NameSize, NameLimit)];
        ReadAt(bytes, header.IdOffset);
        return Text(bytes);
    }

    /// <summary>What statistics there are; the same for the life of the descriptor.</summary>
    public IReadOnlyList<KvmStatistic> ReadDescriptors() => Statistics();

    /// <summary>Reads one statistic's numbers.</summary>
    /// <param name="statistic">One of <see cref="ReadDescriptors"/>.</param>
    public ulong[] Read(KvmStatistic statistic)
    {
        ulong[] values = new ulong[Math.Min(statistic.Count, ValueLimit)];
        ReadAt(MemoryMarshal.AsBytes(values.AsSpan()), statistic.FileOffset);
        return values;
    }

    /// <summary>Reads a statistic's first number.</summary>
    /// <param name="statistic">One of <see cref="ReadDescriptors"/>.</param>
    public ulong ReadFirst(KvmStatistic statistic)
    {
        ulong value = 0;
        ReadAt(MemoryMarshal.AsBytes(new Span<ulong>(ref value)), statistic.FileOffset);
        return value;
    }

    /// <summary>Reads a statistic of one number by name.</summary>
    /// <returns>False when there is none of that name.</returns>
    public bool TryRead(string name, out ulong value)
    {
        foreach (KvmStatistic statistic in Statistics())
        {
            if (statistic.Name == name && statistic.Count > 0)
            {
                value = Read(statistic)[0];
                return true;
            }
        }

        value = 0;
        return false;
    }

    private static string Text(ReadOnlySpan<byte> bytes)
    {
        int end = bytes.IndexOf((byte)0);
        return Encoding.ASCII.GetString(end < 0 ? bytes : bytes[..end]);
    }

    private KvmStatistic[] Statistics()
    {
        if (_statistics is { } known)
        {
            return known;
        }

        KvmStatsHeader header = ReadHeader();
        if (header.NumDesc > DescriptorLimit || header.NameSize > NameLimit)
        {
            throw KvmThrow.Host("read (KVM statistics)", (int)VmmError.EFBIG);
        }

        int size = Unsafe.SizeOf<KvmStatsDesc>() + (int)header.NameSize;
        byte[] bytes = new byte[size * (int)header.NumDesc];
        ReadAt(bytes, header.DescOffset);
        KvmStatistic[] result = new KvmStatistic[header.NumDesc];
        for (int index = 0; index < result.Length; index++)
        {
            ReadOnlySpan<byte> entry = bytes.AsSpan(index * size, size);
            KvmStatsDesc description = MemoryMarshal.Read<KvmStatsDesc>(entry);
            result[index] = new KvmStatistic(
                Text(entry[Unsafe.SizeOf<KvmStatsDesc>()..]),
                description,
                (long)header.DataOffset + description.Offset);
        }

        _statistics = result;
        return result;
    }

    private unsafe void ReadAt(Span<byte> destination, long offset)
    {
        using DescriptorUse use = new(this);
        while (!destination.IsEmpty)
        {
            // SAFETY: pinned for the call, which writes at most the span's length.
            nint done;
            int errno;
            fixed (byte* pointer = destination)
            {
                done = LibC.pread(use.Number, pointer, (nuint)destination.Length, offset);
                errno = LibC.Errno;
            }

            if (done <= 0)
            {
                throw KvmThrow.Host("read (KVM statistics)", done < 0 ? errno : (int)VmmError.EIO);
            }

            destination = destination[(int)done..];
            offset += done;
        }
    }
}
