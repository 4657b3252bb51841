// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Text;

namespace Vmm.Machine.Boot;

/// <summary>The few terms of the ACPI machine language that a small machine needs (ACPI specification, chapter 20).</summary>
internal static class Aml
{
    private const byte NameOperator = 0x08;
    private const byte BytePrefix = 0x0a;
    private const byte DoubleWordPrefix = 0x0c;
    private const byte ScopeOperator = 0x10;
    private const byte BufferOperator = 0x11;
    private const byte PackageOperator = 0x12;
    private const byte ExtendedPrefix = 0x5b;
    private const byte DeviceOperator = 0x82;

    private const byte PortDescriptor = 0x47;
    private const byte Decode16 = 1;
    private const byte InterruptDescriptor = 0x22;
    private const byte FixedMemoryDescriptor = 0x86;
    private const byte FixedMemoryLength = 9;
    private const byte EndDescriptor = 0x79;

    public static byte[] Byte(byte value) => [BytePrefix, value];

    public static byte[] Name(string name, params byte[][] value) => [NameOperator, .. Segment(name), .. Join(value)];

    public static byte[] Scope(string name, params byte[][] terms) =>
        [ScopeOperator, .. WithLength([.. Segment(name), .. Join(terms)])];

    public static byte[] Device(string name, params byte[][] terms) =>
        [ExtendedPrefix, DeviceOperator, .. WithLength([.. Segment(name), .. Join(terms)])];

    public static byte[] Package(params byte[][] elements) =>
        [PackageOperator, .. WithLength([(byte)elements.Length, .. Join(elements)])];

    /// <summary>A plug-and-play identifier such as PNP0501, compressed into a double word.</summary>
    public static byte[] EisaId(string id)
    {
        int first = id[0] - '@';
        int second = id[1] - '@';
        int third = id[2] - '@';
        byte[] product = Convert.FromHexString(id.AsSpan(3));
        return [DoubleWordPrefix, (byte)((first << 2) | (second >> 3)), (byte)((second << 5) | third), .. product];
    }

    /// <summary>A buffer of resource descriptors, ended as it must be; a checksum of zero is not checked.</summary>
    public static byte[] Resources(params byte[][] descriptors)
    {
        byte[] content = [.. Join(descriptors), EndDescriptor, 0];
        return [BufferOperator, .. WithLength([.. Byte((byte)content.Length), .. content])];
    }

    public static byte[] Ports(ushort first, byte count) =>
        [PortDescriptor, Decode16, (byte)first, (byte)(first >> 8), (byte)first, (byte)(first >> 8), 1, count];

    /// <summary>An ISA interrupt: edge-triggered, active high.</summary>
    public static byte[] Interrupt(int number) => [InterruptDescriptor, (byte)(1 << number), (byte)((1 << number) >> 8)];

    public static byte[] Memory(uint first, uint length)
    {
        byte[] descriptor = new byte[12];
        descriptor[0] = FixedMemoryDescriptor;
        descriptor[1] = FixedMemoryLength;
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(4), first);
        BinaryPrimitives.WriteUInt32LittleEndian(descriptor.AsSpan(8), length);
        return descriptor;
    }

    private static byte[] Segment(string name) => Encoding.ASCII.GetBytes(name);

    private static byte[] Join(byte[][] parts) => [.. parts.SelectMany(part => part)];

    // The length counts its own bytes (ACPI specification, 20.2.4): one byte up to 63, else a nibble and a byte.
    private static byte[] WithLength(byte[] content)
    {
        int length = content.Length + 1;
        if (length < 0x40)
        {
            return [(byte)length, .. content];
        }

        length++;
        return [(byte)(0x40 | (length & 0x0f)), (byte)(length >> 4), .. content];
    }
}
