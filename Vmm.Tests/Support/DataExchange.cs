// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Errors;
using Vmm.Abstractions.Machine;
using Vmm.Abstractions.State;
using Vmm.Abstractions.Vcpu;
using Vmm.Engine;

namespace Vmm.Tests.Support;

/// <summary>Transfers a VM's state by class; without a vCPU it freezes them all.</summary>
internal static class DataExchange
{
    private const int Element = 16;

    public static VmmDataResult Read(
        this VirtualMachine machine, VmmDataClass dataClass, int? cpu, Span<byte> data, VmmDataFlags flags = VmmDataFlags.None, ushort version = 1)
    {
        VmmDataRequest request = new(dataClass, version, data, flags);
        if (cpu is { } number)
        {
            return machine.ReadData(new VcpuId(number), request);
        }

        using IVcpuFreeze freeze = machine.FreezeVcpus();
        return machine.ReadData(freeze, request);
    }

    public static VmmDataResult Write(
        this VirtualMachine machine, VmmDataClass dataClass, int? cpu, Span<byte> data, VmmDataFlags flags = VmmDataFlags.None, ushort version = 1)
    {
        VmmDataRequest request = new(dataClass, version, data, flags);
        if (cpu is { } number)
        {
            return machine.WriteData(new VcpuId(number), request);
        }

        using IVcpuFreeze freeze = machine.FreezeVcpus();
        return machine.WriteData(freeze, request);
    }

    /// <summary>All of a class, in a buffer of the length that the class asks for.</summary>
    public static byte[] ReadAll(this VirtualMachine machine, VmmDataClass dataClass, int? cpu)
    {
        VmmDataResult needed = machine.Read(dataClass, cpu, []);
        needed.Error.Should().Be(VmmError.ENOSPC);
        byte[] data = new byte[needed.Length];
        machine.Read(dataClass, cpu, data).Should().Be(new VmmDataResult(VmmError.None, needed.Length));
        return data;
    }

    /// <summary>The classes that a VM says it has.</summary>
    public static VmmDataVersionEntry[] ReadVersions(this VirtualMachine machine)
    {
        byte[] data = machine.ReadAll(VmmDataClass.Version, null);
        return
        [
            .. data.Chunk(8).Select(item => new VmmDataVersionEntry(
                (VmmDataClass)Word(item, 0), Word(item, 2), Word(item, 4), Word(item, 6))),
        ];

        static ushort Word(byte[] item, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(item.AsSpan(offset));
    }

    /// <summary>A class that is an array of numbered values.</summary>
    public static Dictionary<uint, ulong> ReadFields(this VirtualMachine machine, VmmDataClass dataClass, int? cpu) => Fields(machine.ReadAll(dataClass, cpu));

    /// <summary>Writes numbered values.</summary>
    public static VmmDataResult WriteFields(
        this VirtualMachine machine, VmmDataClass dataClass, int? cpu, params (uint Number, ulong Value)[] fields) =>
        machine.Write(dataClass, cpu, Fields(fields));

    /// <summary>The layout of numbered values.</summary>
    public static byte[] Fields(params (uint Number, ulong Value)[] fields)
    {
        byte[] data = new byte[fields.Length * Element];
        foreach ((int index, (uint number, ulong value)) in fields.Index())
        {
            BinaryPrimitives.WriteUInt32LittleEndian(data.AsSpan(index * Element), number);
            BinaryPrimitives.WriteUInt64LittleEndian(data.AsSpan((index * Element) + 8), value);
        }

        return data;
    }

    /// <summary>Numbered values from their layout.</summary>
    public static Dictionary<uint, ulong> Fields(byte[] data) => data.Chunk(Element).ToDictionary(
        element => BinaryPrimitives.ReadUInt32LittleEndian(element),
        element => BinaryPrimitives.ReadUInt64LittleEndian(element.AsSpan(8)));
}
