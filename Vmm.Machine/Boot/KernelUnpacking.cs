// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Boot;

/// <summary>Who decompresses the kernel of a bzImage.</summary>
public enum KernelUnpacking
{
    /// <summary>The host if it knows the format, else the guest.</summary>
    Automatic = 0,

    /// <summary>The host; a format it does not know is refused.</summary>
    Host,

    /// <summary>The guest, with the unpacker that the image contains.</summary>
    Guest,
}
