// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Machine.Board;

/// <summary>Joins a device that sees offsets and bytes to the ports of the machine.</summary>
/// <param name="first">The device's first port.</param>
/// <param name="read">Its answer to reads.</param>
/// <param name="write">Its answer to writes.</param>
internal sealed class PortWindow(ushort first, PortWindow.ReadBytes read, PortWindow.WriteBytes write) : IPortHandler
{
    /// <summary>Reads bytes at an offset of the device.</summary>
    public delegate void ReadBytes(ushort offset, Span<byte> data);

    /// <summary>Writes bytes at an offset of the device.</summary>
    public delegate void WriteBytes(ushort offset, ReadOnlySpan<byte> data);

    /// <inheritdoc/>
    public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
    {
        Span<byte> data = stackalloc byte[sizeof(uint)];
        data.Clear();
        read((ushort)(port - first), data[..bytes]);
        value = BinaryPrimitives.ReadUInt32LittleEndian(data);
        return PortOutcome.Handled;
    }

    /// <inheritdoc/>
    public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
    {
        Span<byte> data = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        write((ushort)(port - first), data[..bytes]);
        return PortOutcome.Handled;
    }
}
