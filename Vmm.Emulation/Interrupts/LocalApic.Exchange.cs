// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.State;

namespace Vmm.Emulation.Interrupts;

/// <content>The exchange layout as a class of state.</content>
public sealed partial class LocalApic
{
    /// <inheritdoc/>
    public VmmDataVersionEntry Entry => LayoutTransfer.Entry(VmmDataClass.LocalApic, LayoutLength);

    /// <inheritdoc/>
    public VmmDataResult Read(VmmDataRequest request) => LayoutTransfer.Read(request, LayoutLength, ExportLayout);

    /// <inheritdoc/>
    public VmmDataResult Write(VmmDataRequest request) => LayoutTransfer.Write(request, LayoutLength, ImportLayout);
}
