// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Handlers of near control transfers. All are the last of their block.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>Where a relative transfer may lead without further checks.</summary>
    private interface ITarget
    {
        static abstract bool TryGet(CpuState s, in Instruction i, out ulong target);
    }

    /// <summary>64-bit mode: canonical with 48 bits, so with 57 too.</summary>
    private readonly struct Target64 : ITarget
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool TryGet(CpuState s, in Instruction i, out ulong target)
        {
            target = s.NextRip + i.Immediate;
            return IsCanonical48(target);
        }
    }

    /// <summary>32-bit code: within CS.</summary>
    private readonly struct Target32 : ITarget
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool TryGet(CpuState s, in Instruction i, out ulong target)
        {
            target = (uint)(s.NextRip + i.Immediate);
            return target <= s.CodeLimit;
        }
    }

    private static bool IsCanonical48(ulong address) => (ulong)((long)(address << 16) >> 16) == address;

    /// <summary>A condition as a type.</summary>
    private interface ICondition
    {
        static abstract int Code { get; }
    }

    /// <summary>The condition with the number that its four bits make.</summary>
    private readonly struct Condition<T3, T2, T1, T0> : ICondition
        where T3 : struct, ISigned
        where T2 : struct, ISigned
        where T1 : struct, ISigned
        where T0 : struct, ISigned
    {
        public static int Code
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => (T3.IsSigned ? 8 : 0) | (T2.IsSigned ? 4 : 0) | (T1.IsSigned ? 2 : 0) | (T0.IsSigned ? 1 : 0);
        }
    }

    private sealed class JumpIf<TCondition, TTarget> : Handler
        where TCondition : struct, ICondition
        where TTarget : struct, ITarget
    {
        internal static readonly Handler Instance = new JumpIf<TCondition, TTarget>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            if (!s.IsTrue(TCondition.Code))
            {
                return true;
            }

            if (!TTarget.TryGet(s, in op.Instruction, out ulong target))
            {
                return General(ref cpu, s, in op);
            }

            s.NextRip = target;
            return true;
        }
    }

    private sealed class JumpTo<TTarget> : Handler
        where TTarget : struct, ITarget
    {
        internal static readonly Handler Instance = new JumpTo<TTarget>();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            if (!TTarget.TryGet(s, in op.Instruction, out ulong target))
            {
                return General(ref cpu, s, in op);
            }

            s.NextRip = target;
            return true;
        }
    }

    private sealed class JumpRegister64 : Handler
    {
        internal static readonly Handler Instance = new JumpRegister64();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            ulong target = s.Register(op.Source);
            if (!IsCanonical48(target))
            {
                return General(ref cpu, s, in op);
            }

            s.NextRip = target;
            return true;
        }
    }

    private sealed class Call64 : Handler
    {
        internal static readonly Handler Instance = new Call64();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            if (!Target64.TryGet(s, in op.Instruction, out ulong target) || !TryPush64(ref cpu, s, s.NextRip))
            {
                return General(ref cpu, s, in op);
            }

            s.NextRip = target;
            return true;
        }
    }

    private sealed class CallRegister64 : Handler
    {
        internal static readonly Handler Instance = new CallRegister64();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            ulong target = s.Register(op.Source);
            if (!IsCanonical48(target) || !TryPush64(ref cpu, s, s.NextRip))
            {
                return General(ref cpu, s, in op);
            }

            s.NextRip = target;
            return true;
        }
    }

    /// <summary>RET, with the immediate that it releases or without one (0).</summary>
    private sealed class Return64 : Handler
    {
        internal static readonly Handler Instance = new Return64();

        internal override bool Execute(ref TCpu cpu, CpuState s, ref MicroOp op)
        {
            ulong pointer = s.Register(Rsp);
            ref byte at = ref Host(ref cpu, s, s.ReadEntries, pointer, sizeof(ulong));
            if (Unsafe.IsNullRef(ref at))
            {
                return General(ref cpu, s, in op);
            }

            ulong target = Unsafe.ReadUnaligned<ulong>(ref at);
            if (!IsCanonical48(target))
            {
                return General(ref cpu, s, in op);
            }

            s.Register(Rsp) = pointer + sizeof(ulong) + op.Instruction.Immediate;
            s.NextRip = target;
            return true;
        }
    }
}
