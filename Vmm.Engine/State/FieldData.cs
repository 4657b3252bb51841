// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;
using Vmm.Abstractions.State;

namespace Vmm.Engine.State;

/// <summary>
/// A class of state that is an array of numbered values. Read, it gives all that it lists, or with
/// <see cref="VmmDataFlags.ReadCopyIn"/> those whose numbers the caller has put there. Written, all are looked at before the first is taken.
/// </summary>
internal abstract class FieldData(VmmDataVersionEntry entry) : IVmmDataSource
{
    /// <inheritdoc/>
    public VmmDataVersionEntry Entry { get; } = entry;

    /// <summary>The numbers that are given when nobody asks for particular ones; those without a value are left out.</summary>
    protected abstract IReadOnlyList<uint> Listed { get; }

    /// <inheritdoc/>
    public VmmDataResult Read(VmmDataRequest request)
    {
        if ((request.Flags & VmmDataFlags.ReadCopyIn) != 0)
        {
            return ReadWanted(request.Data);
        }

        List<(uint Number, ulong Value)> present = [];
        foreach (uint number in Listed)
        {
            if (TryGet(number, out ulong value))
            {
                present.Add((number, value));
            }
        }

        int length = present.Count * FieldArray.ElementLength;
        if (request.Data.Length < length)
        {
            return new VmmDataResult(VmmError.ENOSPC, (uint)length);
        }

        FieldArray fields = new(request.Data);
        foreach ((int index, (uint number, ulong value)) in present.Index())
        {
            fields.Set(index, number, value);
        }

        return new VmmDataResult(VmmError.None, (uint)length);
    }

    /// <inheritdoc/>
    public VmmDataResult Write(VmmDataRequest request)
    {
        FieldArray fields = new(request.Data);
        if (!fields.IsWhole)
        {
            return new VmmDataResult(VmmError.EINVAL, 0);
        }

        for (int index = 0; index < fields.Count; index++)
        {
            VmmError refusal = Check(fields.NumberOf(index), fields.ValueOf(index));
            if (refusal != VmmError.None)
            {
                return new VmmDataResult(refusal, 0);
            }
        }

        for (int index = 0; index < fields.Count; index++)
        {
            VmmError refusal = Set(fields.NumberOf(index), fields.ValueOf(index));
            if (refusal != VmmError.None)
            {
                return new VmmDataResult(refusal, 0);
            }
        }

        return new VmmDataResult(VmmError.None, (uint)request.Data.Length);
    }

    /// <summary>Gives a value.</summary>
    /// <returns>Whether there is one.</returns>
    protected abstract bool TryGet(uint number, out ulong value);

    /// <summary>Says what is wrong with a value; changes nothing.</summary>
    protected abstract VmmError Check(uint number, ulong value);

    /// <summary>Takes a value that was looked at, or says what the hypervisor had against it.</summary>
    protected abstract VmmError Set(uint number, ulong value);

    private VmmDataResult ReadWanted(Span<byte> data)
    {
        FieldArray fields = new(data);
        if (!fields.IsWhole)
        {
            return new VmmDataResult(VmmError.EINVAL, 0);
        }

        for (int index = 0; index < fields.Count; index++)
        {
            uint number = fields.NumberOf(index);
            if (!TryGet(number, out ulong value))
            {
                return new VmmDataResult(VmmError.EINVAL, 0);
            }

            fields.Set(index, number, value);
        }

        return new VmmDataResult(VmmError.None, (uint)data.Length);
    }
}
