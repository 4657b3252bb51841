// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Abstractions.State;

/// <summary>A transfer of device or processor state (<c>vmm_data_req_t</c>).</summary>
[VmmKernelSymbol("vmm_data_req")]
[VmmKernelSymbol("vmm_data_req_t")]
public readonly ref struct VmmDataRequest
{
    /// <summary>Creates a request.</summary>
    /// <param name="dataClass">What is transferred.</param>
    /// <param name="version">The version of its layout.</param>
    /// <param name="data">The buffer.</param>
    /// <param name="flags">Which way the data goes.</param>
    public VmmDataRequest(VmmDataClass dataClass, ushort version, Span<byte> data, VmmDataFlags flags = VmmDataFlags.None)
    {
        DataClass = dataClass;
        Version = version;
        Data = data;
        Flags = flags;
    }

    /// <summary>What is transferred.</summary>
    [VmmKernelSymbol("vmm_data_req.vdr_class")]
    public VmmDataClass DataClass { get; }

    /// <summary>The version of its layout.</summary>
    [VmmKernelSymbol("vmm_data_req.vdr_version")]
    public ushort Version { get; }

    /// <summary>Which way the data goes.</summary>
    [VmmKernelSymbol("vmm_data_req.vdr_flags")]
    public VmmDataFlags Flags { get; }

    /// <summary>The buffer; its length is the request's.</summary>
    [VmmKernelSymbol("vmm_data_req.vdr_data")]
    [VmmKernelSymbol("vmm_data_req.vdr_len")]
    public Span<byte> Data { get; }
}
