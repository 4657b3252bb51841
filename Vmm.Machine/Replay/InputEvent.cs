// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;

namespace Vmm.Machine.Replay;

/// <summary>Console input that reached a guest.</summary>
/// <param name="Time">When, on the VM's clock, in nanoseconds.</param>
/// <param name="Data">The bytes that the serial port took.</param>
public sealed record InputEvent(long Time, ImmutableArray<byte> Data);
