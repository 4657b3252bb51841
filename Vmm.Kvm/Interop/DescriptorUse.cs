// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Kvm.Interop;

/// <summary>Keeps a descriptor open while its number is used.</summary>
internal readonly ref struct DescriptorUse
{
    private readonly Descriptor? _descriptor;

    /// <summary>Takes a reference; nothing for null.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <exception cref="ObjectDisposedException">It is closed already.</exception>
    public DescriptorUse(Descriptor? descriptor)
    {
        if (descriptor is not null)
        {
            bool held = false;
            descriptor.DangerousAddRef(ref held);
            _descriptor = descriptor;
        }
    }

    /// <summary>The number, -1 without a descriptor.</summary>
    public int Number => _descriptor?.Number ?? -1;

    /// <summary>Gives the reference back.</summary>
    public void Dispose() => _descriptor?.DangerousRelease();
}
