// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Software.Interop;

/// <summary>struct pollfd of poll(2).</summary>
internal struct PollFd
{
    public int Fd;
    public short Events;
    public short Revents;
}
