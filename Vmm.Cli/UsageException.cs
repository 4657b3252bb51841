// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Cli;

/// <summary>A command line that cannot be carried out as written; the message says what to write instead.</summary>
internal sealed class UsageException(string message) : Exception(message);
