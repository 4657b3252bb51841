// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Reflection.Emit;
using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <content>Blocks as methods of the host's runtime.</content>
internal static partial class Interpreter<TCpu>
{
    /// <summary>
    /// Writes a block as a method that calls the bodies of its instructions one after another, with all that was decoded as constants:
    /// the runtime's compiler joins and specializes them. No instruction has a meaning of its own here.
    /// </summary>
    /// <remarks>
    /// An instruction whose body gives up is executed by its handler, from its beginning, and the method goes on behind it. So do the
    /// instructions without a body.
    /// </remarks>
    [RequiresDynamicCode("A block becomes a method at run time.")]
    internal sealed class BlockWriter
    {
        private static readonly Type[] s_parameters =
            [typeof(CpuState), typeof(TCpu).MakeByRefType(), typeof(MicroOp).MakeByRefType(), typeof(ulong), typeof(int)];

        private static readonly MethodInfo s_offset = ((Func<CpuState, int, int, int, long, ulong>)Offset).Method;
        private static readonly MethodInfo s_segmentBase = ((Func<CpuState, int, ulong>)SegmentBase).Method;
        private static readonly MethodInfo s_setNext = ((Action<CpuState, ulong>)SetNext).Method;
        private static readonly MethodInfo s_resume = ((ResumeMethod)Resume).Method;
        private static readonly MethodInfo s_repeats = ((Func<CpuState, ulong, int, int, bool>)Repeats).Method;
        private static readonly MethodInfo s_leave = ((Func<CpuState, int, int>)Leave).Method;

        private readonly DynamicMethod _method = new("Block", typeof(int), s_parameters, restrictedSkipVisibility: true);
        private readonly ILGenerator _il;
        private readonly Label[] _slow = new Label[BlockCache.MaximumCount];
        private readonly Label[] _next = new Label[BlockCache.MaximumCount];
        private readonly Label _left;
        private readonly int[] _after = new int[BlockCache.MaximumCount];
        private readonly int _count;
        private uint _slows;
        private uint _keepsFlags;
        private int _at;
        private bool _isDynamic;

        private BlockWriter(ReadOnlySpan<MicroOp> ops)
        {
            _il = _method.GetILGenerator(ops.Length * 48);
            _left = _il.DefineLabel();
            _count = ops.Length;
            int after = 0;
            for (int at = 0; at < ops.Length; at++)
            {
                after += (int)ops[at].Length;
                _after[at] = after;
            }

            // Flags that are replaced before anybody looks, and before the block can be left, are not kept.
            bool isWanted = true;
            for (int at = ops.Length - 1; at >= 0; at--)
            {
                FlagUse use = ops[at].Handler.FlagUse;
                _keepsFlags |= isWanted ? 1U << at : 0;
                isWanted = (use & FlagUse.Reads) != 0 || isWanted && (use & FlagUse.Replaces) == 0;
            }
        }

        private delegate int ResumeMethod(ref TCpu cpu, CpuState s, ref MicroOp first, int at, ulong next, int executed);

        /// <summary>The method of a block of 64-bit code, for one CPU; compiled, as methods that skip visibility are at once.</summary>
        internal static TranslatedBlock Write(CpuState s, ReadOnlySpan<MicroOp> ops)
        {
            BlockWriter writer = new(ops);
            writer.Write(ops);
            return writer._method.CreateDelegate<TranslatedBlock>(s);
        }

        private void Write(ReadOnlySpan<MicroOp> ops)
        {
            // What was executed in earlier passes of a loop, and what Resume returned.
            _il.DeclareLocal(typeof(int));
            _il.DeclareLocal(typeof(int));
            Label start = _il.DefineLabel();
            _il.MarkLabel(start);
            for (_at = 0; _at < ops.Length; _at++)
            {
                _next[_at] = _il.DefineLabel();
                _slow[_at] = _il.DefineLabel();
                ops[_at].Handler.Translate(this, in ops[_at]);
                if (_at == _count - 1 && !_isDynamic)
                {
                    SetNextRip();
                }

                _il.MarkLabel(_next[_at]);
            }

            AddExecuted(_count);
            _il.Emit(OpCodes.Stloc_0);
            if (_isDynamic)
            {
                _il.Emit(OpCodes.Ldarg_0);
                _il.Emit(OpCodes.Ldarg_3);
                AddExecuted(_count);
                _il.Emit(OpCodes.Ldarg_S, (byte)4);
                _il.Emit(OpCodes.Call, s_repeats);
                _il.Emit(OpCodes.Brtrue, start);
            }

            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Ldloc_0);
            _il.Emit(OpCodes.Call, s_leave);
            _il.Emit(OpCodes.Ret);
            for (int at = 0; at < _count; at++)
            {
                if ((_slows >> at & 1) != 0)
                {
                    _il.MarkLabel(_slow[at]);
                    WriteResume(at);
                    _il.Emit(OpCodes.Br, _next[at]);
                }
            }

            _il.MarkLabel(_left);
            _il.Emit(OpCodes.Ldloc_1);
            _il.Emit(OpCodes.Ret);
        }

        /// <summary>Nothing special is known of the instruction: its handler executes it.</summary>
        internal void General()
        {
            _isDynamic |= _at == _count - 1;
            WriteResume(_at);
        }

        /// <summary>The body of a register handler.</summary>
        internal void Register(MethodInfo body, in MicroOp op, ulong constant)
        {
            _il.Emit(OpCodes.Ldarg_0);
            Number(op.Destination);
            Number(op.Source);
            Number64(constant);
            Number(KeepsFlags);
            _il.Emit(OpCodes.Call, body);
        }

        /// <summary>The body of a register handler, with the offset of the memory operand as the constant.</summary>
        internal void AddressTo(MethodInfo body, in MicroOp op)
        {
            _il.Emit(OpCodes.Ldarg_0);
            Number(op.Destination);
            Number(op.Source);
            Address(in op.Instruction);
            Number(KeepsFlags);
            _il.Emit(OpCodes.Call, body);
        }

        /// <summary>The body of a memory handler.</summary>
        internal void Memory(MethodInfo body, in MicroOp op)
        {
            _il.Emit(OpCodes.Ldarg_1);
            _il.Emit(OpCodes.Ldarg_0);
            Address(in op.Instruction);
            if (op.Instruction.Segment >= (int)SegmentName.Fs)
            {
                _il.Emit(OpCodes.Ldarg_0);
                Number(op.Instruction.Segment);
                _il.Emit(OpCodes.Call, s_segmentBase);
                _il.Emit(OpCodes.Add);
            }

            Number(op.Destination);
            Number64(op.Instruction.Immediate);
            Number(KeepsFlags);
            _il.Emit(OpCodes.Call, body);
            BranchIfGivenUp();
        }

        /// <summary>The body of a control handler.</summary>
        internal void Control(MethodInfo body, in MicroOp op)
        {
            if (_at == _count - 1)
            {
                _isDynamic = true;
                SetNextRip();
            }

            _il.Emit(OpCodes.Ldarg_1);
            _il.Emit(OpCodes.Ldarg_0);
            Number(op.Destination);
            Number64(op.Instruction.Immediate);
            _il.Emit(OpCodes.Call, body);
            BranchIfGivenUp();
        }

        private int KeepsFlags => (int)(_keepsFlags >> _at & 1);

        private void BranchIfGivenUp()
        {
            _slows |= 1U << _at;
            _il.Emit(OpCodes.Brfalse, _slow[_at]);
        }

        /// <summary>Executes by the handler; leaves the method when the instruction did not complete, or ended the block.</summary>
        private void WriteResume(int at)
        {
            _il.Emit(OpCodes.Ldarg_1);
            _il.Emit(OpCodes.Ldarg_0);
            _il.Emit(OpCodes.Ldarg_2);
            Number(at);
            Rip(_after[at]);
            AddExecuted(at);
            _il.Emit(OpCodes.Call, s_resume);
            _il.Emit(OpCodes.Stloc_1);
            _il.Emit(OpCodes.Ldloc_1);
            _il.Emit(OpCodes.Brtrue, _left);
        }

        /// <summary>The effective address without a segment's base.</summary>
        private void Address(in Instruction i)
        {
            if (i.Base == Instruction.RipRegister)
            {
                Rip(_after[_at] + i.Displacement);
                return;
            }

            _il.Emit(OpCodes.Ldarg_0);
            Number(i.Base);
            Number(i.Index);
            Number(i.Scale);
            Number64((ulong)i.Displacement);
            _il.Emit(OpCodes.Call, s_offset);
        }

        private void SetNextRip()
        {
            _il.Emit(OpCodes.Ldarg_0);
            Rip(_after[_count - 1]);
            _il.Emit(OpCodes.Call, s_setNext);
        }

        private void Rip(long offset)
        {
            _il.Emit(OpCodes.Ldarg_3);
            if (offset != 0)
            {
                Number64((ulong)offset);
                _il.Emit(OpCodes.Add);
            }
        }

        private void AddExecuted(int count)
        {
            _il.Emit(OpCodes.Ldloc_0);
            Number(count);
            _il.Emit(OpCodes.Add);
        }

        private void Number(int value) => _il.Emit(OpCodes.Ldc_I4, value);

        private void Number64(ulong value) => _il.Emit(OpCodes.Ldc_I8, (long)value);
    }
}
