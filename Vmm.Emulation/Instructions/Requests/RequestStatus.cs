// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Requests;

/// <summary>Where an instruction's accesses to devices stand (the status flags of bhyve's <c>struct vie</c>).</summary>
public enum RequestStatus : byte
{
    /// <summary>No access waits for anybody.</summary>
    None,

    /// <summary>An access waits until somebody fulfils it; then the instruction is executed again.</summary>
    Pending,

    /// <summary>The access was fulfilled; the instruction has not been executed again yet.</summary>
    Fulfilled,
}
