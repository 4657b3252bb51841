// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Software;

namespace Vmm.Tests.Support;

/// <summary>A guest of the processor in software.</summary>
internal sealed class SoftwareGuest : BackendGuest
{
    private SoftwareGuest()
        : base(new SoftwareBackend())
    {
    }

    /// <summary>A guest in real mode with flat segments at 0.</summary>
    public static SoftwareGuest RealMode(ReadOnlySpan<byte> code)
    {
        SoftwareGuest guest = new();
        guest.BeginRealMode(code);
        return guest;
    }

    /// <summary>A guest in 64-bit kernel mode with the first 4 GiB mapped onto themselves.</summary>
    public static SoftwareGuest LongMode(ReadOnlySpan<byte> code)
    {
        SoftwareGuest guest = new();
        guest.BeginLongMode(code);
        return guest;
    }
}
