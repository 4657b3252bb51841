// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Abstractions.State;

/// <summary>How a transfer of state ended. A length comes with some errors too, so that the caller can size its buffer.</summary>
/// <param name="Error">None, or the reason: EINVAL, ENOSPC, EPERM, ENOTSUP.</param>
/// <param name="Length">Bytes transferred; with ENOSPC the bytes needed.</param>
public readonly record struct VmmDataResult(
    VmmError Error,
    [property: VmmKernelSymbol("vmm_data_req.vdr_result_len")] uint Length);
