// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>Bodies of near control transfers. All are the last of their block.</summary>
internal static partial class Interpreter<TCpu>
{
    /// <summary>Where a relative transfer may lead without further checks.</summary>
    private interface ITarget
    {
        static abstract bool TryGet(CpuState s, ulong displacement, out ulong target);
    }

    /// <summary>64-bit mode: canonical with 48 bits, so with 57 too.</summary>
    private readonly struct Target64 : ITarget
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool TryGet(CpuState s, ulong displacement, out ulong target)
        {
            target = s.NextRip + displacement;
            return IsCanonical48(target);
        }
    }

    /// <summary>32-bit code: within CS.</summary>
    private readonly struct Target32 : ITarget
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool TryGet(CpuState s, ulong displacement, out ulong target)
        {
            target = (uint)(s.NextRip + displacement);
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

    private readonly struct JumpIf<TCondition, TTarget> : IControlBody
        where TCondition : struct, ICondition
        where TTarget : struct, ITarget
    {
        public static FlagUse FlagUse => FlagUse.Reads;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Execute(ref TCpu cpu, CpuState s, int register, ulong immediate)
        {
            if (!s.IsTrue(TCondition.Code))
            {
                return true;
            }

            if (!TTarget.TryGet(s, immediate, out ulong target))
            {
                return false;
            }

            s.NextRip = target;
            return true;
        }
    }

    private readonly struct JumpTo<TTarget> : IControlBody
        where TTarget : struct, ITarget
    {
        public static FlagUse FlagUse => FlagUse.None;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Execute(ref TCpu cpu, CpuState s, int register, ulong immediate)
        {
            if (!TTarget.TryGet(s, immediate, out ulong target))
            {
                return false;
            }

            s.NextRip = target;
            return true;
        }
    }

    private readonly struct JumpRegister64 : IControlBody
    {
        public static FlagUse FlagUse => FlagUse.None;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Execute(ref TCpu cpu, CpuState s, int register, ulong immediate)
        {
            ulong target = s.Register(register);
            if (!IsCanonical48(target))
            {
                return false;
            }

            s.NextRip = target;
            return true;
        }
    }

    private readonly struct Call64 : IControlBody
    {
        public static FlagUse FlagUse => FlagUse.None;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Execute(ref TCpu cpu, CpuState s, int register, ulong immediate)
        {
            if (!Target64.TryGet(s, immediate, out ulong target) || !TryPush64(ref cpu, s, s.NextRip))
            {
                return false;
            }

            s.NextRip = target;
            return true;
        }
    }

    private readonly struct CallRegister64 : IControlBody
    {
        public static FlagUse FlagUse => FlagUse.None;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Execute(ref TCpu cpu, CpuState s, int register, ulong immediate)
        {
            ulong target = s.Register(register);
            if (!IsCanonical48(target) || !TryPush64(ref cpu, s, s.NextRip))
            {
                return false;
            }

            s.NextRip = target;
            return true;
        }
    }

    /// <summary>RET, with the immediate that it releases or without one (0).</summary>
    private readonly struct Return64 : IControlBody
    {
        public static FlagUse FlagUse => FlagUse.None;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static bool Execute(ref TCpu cpu, CpuState s, int register, ulong immediate)
        {
            ulong pointer = s.Register(Rsp);
            ref byte at = ref Host(ref cpu, s, s.ReadEntries, pointer, sizeof(ulong));
            if (Unsafe.IsNullRef(ref at))
            {
                return false;
            }

            ulong target = Unsafe.ReadUnaligned<ulong>(ref at);
            if (!IsCanonical48(target))
            {
                return false;
            }

            s.Register(Rsp) = pointer + sizeof(ulong) + immediate;
            s.NextRip = target;
            return true;
        }
    }
}
