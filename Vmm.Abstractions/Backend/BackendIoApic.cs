// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;

namespace Vmm.Abstractions.Backend;

/// <summary>The state of a hypervisor's I/O APIC, in the data sheet's terms (Intel 290566).</summary>
/// <param name="Id">The id, 0 to 15.</param>
/// <param name="Selected">The selected register.</param>
/// <param name="Entries">The redirection entries, one for each pin.</param>
/// <param name="Lines">The pins that are asserted, or whose edge waits, one bit for each.</param>
public sealed record BackendIoApic(byte Id, byte Selected, ImmutableArray<ulong> Entries, uint Lines);
