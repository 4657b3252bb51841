// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Emulation.Instructions.Decoding;
using CodeSize = Vmm.Emulation.Instructions.Decoding.CodeSize;
using Decoder = Vmm.Emulation.Instructions.Decoding.Decoder;
using IcedDecoder = Iced.Intel.Decoder;
using IcedInstruction = Iced.Intel.Instruction;
using Instruction = Vmm.Emulation.Instructions.Decoding.Instruction;

namespace Vmm.Tests.Emulation.Instructions.Decoding;

/// <summary>Decodes windows with our decoder and with Iced and says what differs.</summary>
internal sealed class IcedComparison
{
    private readonly WindowReader _reader = new();
    private readonly IcedDecoder _decoder;
    private readonly CodeSize _codeSize;

    internal IcedComparison(CodeSize codeSize)
    {
        _codeSize = codeSize;
        _decoder = IcedDecoder.Create(16 << (int)codeSize, _reader);
    }

    /// <summary>Null when both agree on the window, or when a documented choice of ours explains the difference.</summary>
    internal string? Compare(byte[] window, int length = Decoder.MaximumLength)
    {
        _reader.Set(window, length);
        _decoder.IP = 0x1000;
        _decoder.Decode(out IcedInstruction expected);
        DecodeStatus status = Decoder.Decode(window.AsSpan(0, length), _codeSize, out Instruction actual);
        if (actual.Operation == Operation.Evex)
        {
            return expected.IsInvalid || expected.Length == actual.Length ? null : Describe(window, in expected, actual, "length");
        }

        bool invalid = status != DecodeStatus.Decoded;
        if (expected.IsInvalid != invalid)
        {
            return expected.IsInvalid || !IsLeftOut(in expected) ? Describe(window, in expected, actual, $"validity ({status})") : null;
        }

        if (invalid)
        {
            return null;
        }

        string? difference = expected.Length != actual.Length ? "length"
            : !MnemonicNames.Same(in expected, actual.Operation) ? "mnemonic"
            : OperandComparison.Difference(in expected, in actual, _codeSize);
        return difference is null ? null : Describe(window, in expected, actual, difference);
    }

    /// <summary>Encodings that the decoder leaves out by choice (its summary names them).</summary>
    private static bool IsLeftOut(in IcedInstruction instruction)
    {
        Code code = instruction.Code;
        OpCodeInfo info = code.ToOpCode();
        if (info.Encoding is EncodingKind.XOP or EncodingKind.D3NOW or EncodingKind.MVEX)
        {
            return true;
        }

        foreach (CpuidFeature feature in code.CpuidFeatures())
        {
            string name = feature.ToString();
            if (name.StartsWith("AMX", StringComparison.Ordinal) || name.StartsWith("PADLOCK", StringComparison.Ordinal)
                || name.StartsWith("CENTAUR", StringComparison.Ordinal) || name.StartsWith("SEV", StringComparison.Ordinal)
                || name is "SVM" or "SKINIT_OR_SVM" or "FMA4" or "MONITORX" or "CLZERO" or "RDPRU" or "MCOMMIT" or "INVLPGB" or "TLBSYNC"
                    or "RMPQUERY" or "SKINIT" or "SNP" or "GMI" or "VMGEXIT" or "XOP")
            {
                return true;
            }
        }

        return code is Code.Stgi or Code.Clgi or Code.Skinit || code.ToString().StartsWith("Xstore", StringComparison.Ordinal) || code.ToString().StartsWith("Undoc", StringComparison.Ordinal)
            || code.ToString().StartsWith("VEX_Vpermil2", StringComparison.Ordinal);
    }

    private string Describe(byte[] window, in IcedInstruction expected, Instruction actual, string what)
        => $"{_codeSize} {Convert.ToHexString(window)}: {what}: Iced {expected.Code} length {expected.Length} '{expected}', "
            + $"ours {actual.Mnemonic} {actual.Pattern} length {actual.Length} operand size {actual.OperandSize}";

    private sealed class WindowReader : CodeReader
    {
        private byte[] _window = [];
        private int _length;
        private int _at;

        public override int ReadByte() => _at < _length ? _window[_at++] : -1;

        internal void Set(byte[] window, int length)
        {
            _window = window;
            _length = length;
            _at = 0;
        }
    }
}
