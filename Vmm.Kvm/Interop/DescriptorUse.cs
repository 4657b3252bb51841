// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary>Keeps a descriptor open while its number is used.</summary>
internal readonly ref struct DescriptorUse
{
    private readonly SafeHandle? _descriptor;

    /// <summary>Takes a reference; nothing for null.</summary>
    /// <param name="descriptor">The descriptor.</param>
    /// <exception cref="ObjectDisposedException">It is closed already.</exception>
    public DescriptorUse(SafeHandle? descriptor)
    {
        if (descriptor is not null)
        {
            bool held = false;
            descriptor.DangerousAddRef(ref held);
            _descriptor = descriptor;
        }
    }

    /// <summary>The number, -1 without a descriptor.</summary>
    public int Number => _descriptor is null ? -1 : (int)_descriptor.DangerousGetHandle();

    /// <summary>Gives the reference back.</summary>
    public void Dispose() => _descriptor?.DangerousRelease();
}
