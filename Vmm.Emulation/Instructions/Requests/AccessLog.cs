// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;

namespace Vmm.Emulation.Instructions.Requests;

/// <summary>
/// The accesses of one instruction to devices. An instruction that has to wait for user space is executed again from its start;
/// what it had done already is answered from here, so that each side effect happens once.
/// </summary>
/// <remarks>
/// A binding calls <see cref="Begin"/> before each execution, <see cref="TryReplay"/> before it asks a device, then
/// <see cref="Record"/> or <see cref="Suspend"/>, and <see cref="Commit"/> when the instruction, or one element of a repeated one,
/// is done. If other CPUs changed what the instruction depends on, it may ask for something else the second time: what was recorded
/// from there on is forgotten. One thread at a time. Allocates only while it grows, up to the most accesses that one instruction
/// makes.
/// </remarks>
public sealed class AccessLog
{
    private readonly List<DeviceAccess> _done = new(4);
    private int _next;
    private DeviceAccess _waiting;

    /// <summary>Where the accesses stand.</summary>
    public RequestStatus Status { get; private set; }

    /// <summary>The access that waits, or was fulfilled last.</summary>
    public ref readonly DeviceAccess Waiting => ref _waiting;

    /// <summary>How many accesses are remembered.</summary>
    public int Count => _done.Count;

    /// <summary>The instruction begins, or begins again.</summary>
    public void Begin() => _next = 0;

    /// <summary>Answers an access that was made before.</summary>
    /// <param name="kind">What it does.</param>
    /// <param name="address">The address or port.</param>
    /// <param name="data">For a read receives the data.</param>
    /// <returns>Whether it was made before.</returns>
    public bool TryReplay(AccessKind kind, ulong address, Span<byte> data)
    {
        if (!Matches(kind, address, data.Length))
        {
            return false;
        }

        DeviceAccess access = _done[_next++];
        Span<byte> bytes = stackalloc byte[DeviceAccess.MaximumLength];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, access.Data);
        bytes[..data.Length].CopyTo(data);
        return true;
    }

    /// <summary>Skips a write that was made before.</summary>
    /// <param name="kind">What it does.</param>
    /// <param name="address">The address or port.</param>
    /// <param name="length">Bytes.</param>
    /// <returns>Whether it was made before.</returns>
    public bool TrySkip(AccessKind kind, ulong address, int length)
    {
        if (!Matches(kind, address, length))
        {
            return false;
        }

        _next++;
        return true;
    }

    /// <summary>Remembers an access that a device has served.</summary>
    /// <param name="access">The access.</param>
    public void Record(in DeviceAccess access)
    {
        _done.Add(access);
        _next = _done.Count;
    }

    /// <summary>Makes an access wait for user space.</summary>
    /// <param name="access">The access.</param>
    public void Suspend(in DeviceAccess access)
    {
        _waiting = access;
        Status = RequestStatus.Pending;
    }

    /// <summary>Gives the answer to the access that waits (<c>vie_fulfill_mmio</c>, <c>vie_fulfill_inout</c>).</summary>
    /// <param name="kind">What it does.</param>
    /// <param name="address">The address or port.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="data">For a read the data; bytes above the length are ignored. Ignored for a write.</param>
    /// <returns><see langword="false"/> (EINVAL) when no such access waits.</returns>
    public bool TryFulfill(AccessKind kind, ulong address, int length, ulong data)
    {
        if (Status != RequestStatus.Pending || !_waiting.Matches(kind, address, length))
        {
            return false;
        }

        _waiting = _waiting with { Data = _waiting.IsRead ? Truncate(data, length) : _waiting.Data };
        _done.Add(_waiting);
        Status = RequestStatus.Fulfilled;
        return true;
    }

    /// <summary>The instruction, or one element of a repeated one, is done.</summary>
    public void Commit()
    {
        if (_done.Count != 0)
        {
            _done.Clear();
        }

        _next = 0;
        Status = RequestStatus.None;
    }

    /// <summary>Forgets everything: the instruction is given up, or raised an exception.</summary>
    public void Reset() => Commit();

    /// <summary>The bytes of a value that an access of a length has.</summary>
    /// <param name="value">The value.</param>
    /// <param name="length">1 to 8.</param>
    /// <returns>The value with zeros above.</returns>
    public static ulong Truncate(ulong value, int length) => length >= 8 ? value : value & ((1UL << length * 8) - 1);

    private bool Matches(AccessKind kind, ulong address, int length)
    {
        if (_next == _done.Count)
        {
            return false;
        }

        if (_done[_next].Matches(kind, address, length))
        {
            return true;
        }

        _done.RemoveRange(_next, _done.Count - _next);
        return false;
    }
}
