// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.Memory;

/// <summary>How the host memory of a segment is obtained.</summary>
/// <param name="Name">A name for the host's listings, at most 128 characters; may be empty.</param>
/// <param name="FileBacked">
/// Whether the memory is a <c>memfd</c> that can be shared with another process, or anonymous.
/// </param>
/// <param name="HugePages">Whether the host is advised to use huge pages.</param>
/// <param name="Wired">Whether all pages are brought in and locked at once.</param>
public readonly record struct GuestMemoryOptions(
    string Name = "",
    bool FileBacked = false,
    bool HugePages = false,
    bool Wired = false);
