// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Machine.Debugging;

/// <summary>Parts of the FPU image that a debugger names.</summary>
internal enum FpuField
{
    Stack,
    Control,
    Status,
    Tags,
    InstructionSegment,
    InstructionOffset,
    OperandSegment,
    OperandOffset,
    Opcode,
    Vector,
    VectorControl,
}

/// <summary>A vCPU's XSAVE area in standard form, as far as x87 and SSE go (Intel SDM volume 1, section 10.5.1 and 13.4).</summary>
internal sealed class FpuImage(byte[] bytes)
{
    private const int StackOffset = 32;
    private const int VectorOffset = 160;
    private const int VectorControlOffset = 24;
    private const int PresentComponents = 512;
    private const int Slot = 16;
    private const byte X87 = 1;
    private const byte Sse = 2;
    private const ushort InitialControl = 0x37f;
    private const uint InitialVectorControl = 0x1f80;

    /// <summary>Reads a vCPU's image.</summary>
    public static FpuImage Read(IVirtualCpu cpu, int longest)
    {
        byte[] buffer = new byte[longest];
        int length = cpu.GetFpu(buffer);
        FpuImage image = new(buffer[..length]);
        image.FillIn();
        return image;
    }

    /// <summary>Gives the image to a vCPU.</summary>
    public void Write(IVirtualCpu cpu) => cpu.SetFpu(bytes);

    /// <summary>Copies a part, zero-extended.</summary>
    public void Get(FpuField field, int index, Span<byte> destination)
    {
        destination.Clear();
        switch (field)
        {
            case FpuField.Stack or FpuField.Vector:
                bytes.AsSpan(Offset(field, index), destination.Length).CopyTo(destination);
                break;
            case FpuField.Tags:
                BinaryPrimitives.WriteUInt32LittleEndian(destination, FullTags());
                break;
            default:
                bytes.AsSpan(Offset(field, 0), Width(field)).CopyTo(destination);
                break;
        }
    }

    /// <summary>Replaces a part.</summary>
    public void Set(FpuField field, int index, ReadOnlySpan<byte> source)
    {
        switch (field)
        {
            case FpuField.Stack or FpuField.Vector:
                source.CopyTo(bytes.AsSpan(Offset(field, index)));
                break;
            case FpuField.Tags:
                bytes[Offset(field, 0)] = ShortTags(BinaryPrimitives.ReadUInt32LittleEndian(source));
                break;
            default:
                source[..Width(field)].CopyTo(bytes.AsSpan(Offset(field, 0)));
                break;
        }

        bytes[PresentComponents] |= field is FpuField.Vector or FpuField.VectorControl ? Sse : X87;
    }

    private static int Offset(FpuField field, int index) => field switch
    {
        FpuField.Stack => StackOffset + (index * Slot),
        FpuField.Control => 0,
        FpuField.Status => 2,
        FpuField.Tags => 4,
        FpuField.Opcode => 6,
        FpuField.InstructionOffset => 8,
        FpuField.InstructionSegment => 12,
        FpuField.OperandOffset => 16,
        FpuField.OperandSegment => 20,
        FpuField.VectorControl => VectorControlOffset,
        _ => VectorOffset + (index * Slot),
    };

    private static int Width(FpuField field) =>
        field is FpuField.InstructionOffset or FpuField.OperandOffset or FpuField.VectorControl ? sizeof(uint) : sizeof(ushort);

    /// <summary>A component that XSTATE_BV leaves out is in its initial state, whatever its bytes are (section 13.6).</summary>
    private void FillIn()
    {
        if ((bytes[PresentComponents] & X87) == 0)
        {
            bytes.AsSpan(0, VectorControlOffset).Clear();
            bytes.AsSpan(StackOffset, VectorOffset - StackOffset).Clear();
            BinaryPrimitives.WriteUInt16LittleEndian(bytes, InitialControl);
        }

        if ((bytes[PresentComponents] & Sse) == 0)
        {
            bytes.AsSpan(VectorOffset, 16 * Slot).Clear();
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(VectorControlOffset), InitialVectorControl);
        }
    }

    /// <summary>The tag word of FSAVE from the abridged one of FXSAVE and the registers (section 10.5.1.1).</summary>
    private uint FullTags()
    {
        const uint Empty = 3;
        int top = (bytes[3] >> 3) & 7;
        uint tags = 0;
        for (int physical = 0; physical < 8; physical++)
        {
            bool isUsed = (bytes[4] & (1 << physical)) != 0;
            tags |= (isUsed ? Tag((physical - top) & 7) : Empty) << (physical * 2);
        }

        return tags;
    }

    private uint Tag(int stack)
    {
        const ushort Exponent = 0x7fff;
        const ulong Integer = 1ul << 63;
        ReadOnlySpan<byte> value = bytes.AsSpan(Offset(FpuField.Stack, stack), 10);
        ulong fraction = BinaryPrimitives.ReadUInt64LittleEndian(value);
        int exponent = BinaryPrimitives.ReadUInt16LittleEndian(value[8..]) & Exponent;
        return exponent == 0 && fraction == 0 ? 1u
            : exponent is 0 or Exponent || (fraction & Integer) == 0 ? 2u
            : 0u;
    }

    private static byte ShortTags(uint full)
    {
        int tags = 0;
        for (int physical = 0; physical < 8; physical++)
        {
            tags |= ((full >> (physical * 2)) & 3) == 3 ? 0 : 1 << physical;
        }

        return (byte)tags;
    }
}
