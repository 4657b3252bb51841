// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Machine.Debugging;

/// <summary>A register as a debugger sees it.</summary>
internal sealed class GdbRegister(
    string feature, string name, int bits, string type, string? group, GdbRegister.Reader read, GdbRegister.Writer write)
{
    /// <summary>Copies the register's bytes.</summary>
    public delegate void Reader(IVirtualCpu cpu, FpuImage fpu, Span<byte> bytes);

    /// <summary>Replaces the register.</summary>
    public delegate void Writer(IVirtualCpu cpu, int longestImage, ReadOnlySpan<byte> bytes);

    public string Feature => feature;

    public string Name => name;

    public int Bits => bits;

    public int Length => bits / 8;

    public string Type => type;

    public string? Group => group;

    /// <summary>One of the engine's registers, of 4 or 8 bytes.</summary>
    public static GdbRegister Of(string feature, string name, int bits, string type, RegisterName register, string? group = null) => new(
        feature,
        name,
        bits,
        type,
        group,
        (cpu, _, bytes) => Put(bytes, cpu.GetRegister(register)),
        (cpu, _, bytes) => cpu.SetRegister(register, Get(bytes)));

    /// <summary>A segment's base.</summary>
    public static GdbRegister OfBase(string feature, string name, RegisterName register, string? group = null) => new(
        feature,
        name,
        64,
        "int64",
        group,
        (cpu, _, bytes) => Put(bytes, cpu.GetSegmentDescriptor(register).Base),
        (cpu, _, bytes) => cpu.SetSegmentDescriptor(register, cpu.GetSegmentDescriptor(register) with { Base = Get(bytes) }));

    /// <summary>A segment's limit.</summary>
    public static GdbRegister OfLimit(string feature, string name, RegisterName register) => new(
        feature,
        name,
        32,
        "int32",
        "system",
        (cpu, _, bytes) => Put(bytes, cpu.GetSegmentDescriptor(register).Limit),
        (cpu, _, bytes) => cpu.SetSegmentDescriptor(register, cpu.GetSegmentDescriptor(register) with { Limit = (uint)Get(bytes) }));

    /// <summary>A part of the FPU image.</summary>
    public static GdbRegister OfFpu(
        string feature, string name, int bits, string type, FpuField field, int index, string? group = null) => new(
        feature,
        name,
        bits,
        type,
        group,
        (_, fpu, bytes) => fpu.Get(field, index, bytes),
        (cpu, longestImage, bytes) =>
        {
            FpuImage fpu = FpuImage.Read(cpu, longestImage);
            fpu.Set(field, index, bytes);
            fpu.Write(cpu);
        });

    /// <summary>Copies the register of a vCPU that stands.</summary>
    public void Read(IVirtualCpu cpu, FpuImage fpu, Span<byte> bytes) => read(cpu, fpu, bytes);

    /// <summary>Replaces the register of a vCPU that stands.</summary>
    public void Write(IVirtualCpu cpu, ReadOnlySpan<byte> bytes, int longestImage) => write(cpu, longestImage, bytes);

    private static void Put(Span<byte> bytes, ulong value)
    {
        if (bytes.Length == sizeof(uint))
        {
            BinaryPrimitives.WriteUInt32LittleEndian(bytes, (uint)value);
        }
        else
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        }
    }

    private static ulong Get(ReadOnlySpan<byte> bytes) => bytes.Length == sizeof(uint)
        ? BinaryPrimitives.ReadUInt32LittleEndian(bytes)
        : BinaryPrimitives.ReadUInt64LittleEndian(bytes);
}
