// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.InteropServices;

namespace Vmm.Kvm.Interop;

/// <summary><c>struct pollfd</c>.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollFd
{
    public int Fd;
    public short Events;
    public short Revents;
}
