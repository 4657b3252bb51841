// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;
using Vmm.Emulation.Instructions.Floating;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>The x87's transcendental instructions.</summary>
internal static partial class Interpreter<TCpu>
{
    private static bool X87Transcendental(ref TCpu cpu, CpuState s, in Instruction i)
    {
        FloatStatus status = X87Status(s);
        bool isBinary = i.Operation is Operation.Fpatan or Operation.Fyl2x or Operation.Fyl2xp1;
        bool pushes = i.Operation is Operation.Fptan or Operation.Fsincos;
        bool isTrigonometric = i.Operation is Operation.Fsin or Operation.Fcos or Operation.Fsincos or Operation.Fptan;
        bool isUnderflow = IsEmpty(s, 0) || isBinary && IsEmpty(s, 1);
        if (isUnderflow || pushes && !IsEmpty(s, 7))
        {
            RaiseStackFault(s, ref status, isOverflow: !isUnderflow);
            s.Extended.Status = (ushort)(s.Extended.Status & ~(isTrigonometric ? C2 : 0));
            if (!IsStopped(in status))
            {
                WriteResults(s, Float80.Indefinite, Float80.Indefinite, isBinary, pushes);
            }

            return FinishX87(ref cpu, s, in i, in status);
        }

        Float80 value = GetSt(s, 0);
        Float80 pushed = default;
        Float80 result;
        if (isTrigonometric)
        {
            if (!Trigonometry.IsInRange(value))
            {
                s.Extended.Status |= C2;
                return FinishX87(ref cpu, s, in i, in status);
            }

            (result, pushed) = i.Operation switch
            {
                Operation.Fsin => (Trigonometry.Sine(value, ref status), default),
                Operation.Fcos => (Trigonometry.Cosine(value, ref status), default),
                Operation.Fsincos => (Trigonometry.Sine(value, ref status), Trigonometry.Cosine(value, ref status)),
                _ => (Trigonometry.Tangent(value, ref status), value.IsNaN || value.IsUnsupported || value.IsInfinity ? default : Float80.One),
            };
            pushed = pushes && pushed == default ? result : pushed;
            s.Extended.Status = (ushort)(s.Extended.Status & ~C2);
        }
        else
        {
            result = i.Operation switch
            {
                Operation.F2xm1 => Logarithms.PowerOfTwoMinusOne(value, ref status),
                Operation.Fyl2x => Logarithms.TimesLog2(value, GetSt(s, 1), ref status),
                Operation.Fyl2xp1 => Logarithms.TimesLog2OfOnePlus(value, GetSt(s, 1), ref status),
                _ => Trigonometry.ArcTangent(GetSt(s, 1), value, ref status),
            };
        }

        if (!IsStopped(in status))
        {
            WriteResults(s, result, pushed, isBinary, pushes);
        }

        return FinishX87(ref cpu, s, in i, in status);
    }

    /// <summary>The result replaces ST(0), or ST(1) with a pop; a second one is pushed.</summary>
    private static void WriteResults(CpuState s, Float80 result, Float80 pushed, bool isBinary, bool pushes)
    {
        if (isBinary)
        {
            Pop(s);
        }

        SetSt(s, 0, result);
        if (pushes)
        {
            Push(s, pushed);
        }
    }
}
