// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Msr;

/// <summary>What a register's value tells, and how far it travels.</summary>
public enum MsrSensitivity
{
    /// <summary>Nothing in particular.</summary>
    None = 0,

    /// <summary>Addresses of the guest: not for logs.</summary>
    Guest,

    /// <summary>The host's processor: differs between hosts.</summary>
    Host,

    /// <summary>Time: it has moved on when it is restored.</summary>
    Time,
}
