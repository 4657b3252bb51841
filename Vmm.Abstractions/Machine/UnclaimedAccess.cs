// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Machine;

/// <summary>What happens to an access to a port or address that nobody claims.</summary>
public enum UnclaimedAccess
{
    /// <summary>The run returns it to the embedder.</summary>
    Exit = 0,

    /// <summary>A read gives all ones, a write is dropped, and both are counted.</summary>
    Default = 1,
}
