// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Memory;

namespace Vmm.Tests.Support;

/// <summary>Guest memory in a pinned array, which tells when it is freed and what was wired.</summary>
internal sealed class FakeMemoryBlock(ulong length, GuestMemoryOptions options) : GuestMemoryBlock(length)
{
    private readonly byte[] _bytes = GC.AllocateArray<byte>((int)length, pinned: true);
    private int _frees;

    public GuestMemoryOptions Options { get; } = options;

    /// <summary>Whether wiring fails, as where the host has a limit on locked memory.</summary>
    public bool RefuseWire { get; set; }

    public List<(ulong Offset, ulong Length)> Wired { get; } = [];

    public int Frees => Volatile.Read(ref _frees);

    public override void Wire(ulong offset, ulong length)
    {
        if (RefuseWire)
        {
            throw new VmmException("mlock", VmmError.ENOMEM, "the host's limit of locked memory is reached");
        }

        Wired.Add((offset, length));
    }

    protected override Span<byte> GetSpanUnchecked(ulong offset, int length)
    {
        if (Frees != 0)
        {
            throw new FakeProtocolException("memory is used after it was freed");
        }

        return _bytes.AsSpan((int)offset, length);
    }

    protected override void Free() => Interlocked.Increment(ref _frees);
}
