// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Boot;

/// <summary>The field that asked for something, so that a refusal can name it.</summary>
internal readonly record struct BootOrigin(BootImageKind Kind, long Offset, string Field)
{
    /// <summary>Builds the refusal.</summary>
    internal BootImageException Refuse(string problem, string remedy, Exception? inner = null) =>
        new(Kind, Offset, Field, problem, remedy, inner);
}
