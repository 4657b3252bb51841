// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software.Interop;

/// <summary>struct timespec of x86-64.</summary>
internal struct TimeSpec
{
    public long Seconds;
    public long Nanoseconds;
}
