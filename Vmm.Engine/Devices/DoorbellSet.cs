// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Devices;

namespace Vmm.Engine.Devices;

/// <summary>The doorbells at one address, which have one width and different values.</summary>
internal sealed class DoorbellSet
{
    private DoorbellRegistration[] _bells = [];

    /// <summary>The doorbells; replaced, never changed.</summary>
    public ReadOnlySpan<DoorbellRegistration> Bells => Volatile.Read(ref _bells);

    /// <summary>Whether one more fits beside those that are there.</summary>
    public bool Admits(in Doorbell doorbell)
    {
        foreach (DoorbellRegistration bell in Bells)
        {
            if (bell.Doorbell.Length != doorbell.Length
                || bell.Doorbell.Value is not { } value
                || doorbell.Value is not { } wanted
                || value == wanted)
            {
                return false;
            }
        }

        return true;
    }

    public void Add(DoorbellRegistration bell) => Volatile.Write(ref _bells, [.. _bells, bell]);

    public void Remove(DoorbellRegistration bell) => Volatile.Write(ref _bells, [.. _bells.Where(other => other != bell)]);

    /// <summary>Adds to the eventfd of the doorbell that a write rings, if it rings one.</summary>
    public bool TryRing(int length, ulong value)
    {
        foreach (DoorbellRegistration bell in Bells)
        {
            if (bell.Doorbell.Length == 0 || (bell.Doorbell.Length == length && (bell.Doorbell.Value ?? value) == value))
            {
                bell.Ring();
                return true;
            }
        }

        return false;
    }
}
