// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// The x87, vector and further XSAVE-managed state, kept in the layout of the standard (non-compacted) XSAVE area, which is also
/// what KVM_GET_XSAVE exchanges. The image has room for all components that processors have today, AMX included.
/// </summary>
public sealed class ExtendedState
{
    /// <summary>Bytes of the image.</summary>
    public const int Size = 16384;

    internal const int StatusWord = 2;
    internal const int TagWord = 4;
    internal const int LastOpcode = 6;
    internal const int InstructionPointer = 8;
    internal const int DataPointer = 16;
    internal const int Mxcsr = 24;
    internal const uint MisalignedMask = 1 << 17;
    internal const int St0 = 32;
    internal const int Xmm0 = 160;
    internal const int Header = 512;
    internal const int YmmHigh = 576;
    internal const int ZmmHigh = 1152;

    private readonly byte[] _image = new byte[Size];
    private readonly byte[] _scratch = new byte[Size];

    /// <summary>Creates the state after reset (volume 3, processor state after reset).</summary>
    public ExtendedState()
    {
        BitConverter.TryWriteBytes(_image, (ushort)0x37F);
        BitConverter.TryWriteBytes(_image.AsSpan(Mxcsr), 0x1F80);
    }

    /// <summary>The image. Bits of XSTATE_BV in its header say nothing here: every component is always current.</summary>
    public Span<byte> Image => _image;

    /// <summary>MXCSR.</summary>
    public uint MxcsrValue
    {
        get => BitConverter.ToUInt32(_image, Mxcsr);
        set => BitConverter.TryWriteBytes(_image.AsSpan(Mxcsr), value);
    }

    /// <summary>Room for one area while an instruction works on it; its content means nothing before.</summary>
    internal Span<byte> Scratch => _scratch;

    internal ushort ControlWord
    {
        get => BitConverter.ToUInt16(_image, 0);
        set => BitConverter.TryWriteBytes(_image, value);
    }

    internal ushort Status
    {
        get => BitConverter.ToUInt16(_image, StatusWord);
        set => BitConverter.TryWriteBytes(_image.AsSpan(StatusWord), value);
    }

    /// <summary>The abridged tag word of FXSAVE: a set bit is a register in use.</summary>
    internal byte AbridgedTags
    {
        get => _image[TagWord];
        set => _image[TagWord] = value;
    }

    internal Span<byte> Mmx(int index) => _image.AsSpan(St0 + (index & 7) * 16, 8);

    internal Span<byte> Xmm(int index) => _image.AsSpan(Xmm0 + index * 16, 16);

    /// <summary>Bits 128-255 of a YMM register.</summary>
    internal Span<byte> YmmUpper(int index) => _image.AsSpan(YmmHigh + index * 16, 16);
}
