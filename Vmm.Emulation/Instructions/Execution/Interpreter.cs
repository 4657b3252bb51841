// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Instructions.Decoding;

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>
/// The one set of instruction semantics, compiled for a binding. Handlers return true when the instruction completed, else
/// <see cref="CpuState.Outcome"/> says why. General registers, flags and segments change last, so that a fault leaves no trace.
/// </summary>
internal static partial class Interpreter<TCpu>
    where TCpu : struct, IEmulatedCpu
{
    internal static bool Dispatch(ref TCpu cpu, CpuState s, in Instruction i)
    {
        switch (i.Operation)
        {
            case Operation.Add or Operation.Or or Operation.Adc or Operation.Sbb or Operation.And or Operation.Sub or Operation.Xor
                or Operation.Cmp or Operation.Test:
                return Binary(ref cpu, s, in i);
            case Operation.Mov:
                return Move(ref cpu, s, in i);
            case Operation.Jcc:
                return ConditionalJump(s, in i);
            case Operation.Inc or Operation.Dec or Operation.Neg or Operation.Not:
                return Unary(ref cpu, s, in i);
            case Operation.Lea:
                SetSized(s, i.Reg, Effective(s, in i), i.OperandSize);
                return true;
            case Operation.Push:
                return PushOperand(ref cpu, s, in i);
            case Operation.Pop:
                return PopOperand(ref cpu, s, in i);
            case Operation.Jmp:
                return Jump(ref cpu, s, in i);
            case Operation.Call:
                return Call(ref cpu, s, in i);
            case Operation.Ret:
                return Return(ref cpu, s, in i);
            case Operation.Movzx or Operation.Movsx or Operation.Movsxd:
                return MoveExtended(ref cpu, s, in i);
            case Operation.Rol or Operation.Ror or Operation.Rcl or Operation.Rcr or Operation.Shl or Operation.Sal or Operation.Shr
                or Operation.Sar:
                return Shift(ref cpu, s, in i);
            case Operation.Setcc:
                return WriteE(ref cpu, s, in i, s.IsTrue(i.Opcode) ? (byte)1 : (byte)0);
            case Operation.Cmovcc:
                return ConditionalMove(ref cpu, s, in i);
            case Operation.Nop or Operation.Pause or Operation.ReservedNop or Operation.Endbr32 or Operation.Endbr64 or Operation.Prefetch
                or Operation.Prefetchw or Operation.Prefetchwt1 or Operation.Prefetchnta or Operation.Prefetcht0 or Operation.Prefetcht1
                or Operation.Prefetcht2 or Operation.Prefetchit0 or Operation.Prefetchit1 or Operation.Cldemote:
                return true;
            case Operation.Shld or Operation.Shrd:
                return DoubleShift(ref cpu, s, in i);
            case Operation.Mul:
                return Multiply(ref cpu, s, in i);
            case Operation.Imul:
                return i.Pattern == Pattern.E ? Multiply(ref cpu, s, in i) : MultiplyTo(ref cpu, s, in i);
            case Operation.Div or Operation.Idiv:
                return Divide(ref cpu, s, in i);
            case Operation.Xchg:
                return Exchange(ref cpu, s, in i);
            case Operation.Xadd:
                return Xadd(ref cpu, s, in i);
            case Operation.Cmpxchg:
                return Cmpxchg(ref cpu, s, in i);
            case Operation.Cmpxchg8b:
                return Cmpxchg8b(ref cpu, s, in i);
            case Operation.Cmpxchg16b:
                return Cmpxchg16b(ref cpu, s, in i);
            case Operation.Bt or Operation.Bts or Operation.Btr or Operation.Btc:
                return BitTest(ref cpu, s, in i);
            case Operation.Bsf or Operation.Bsr or Operation.Tzcnt or Operation.Lzcnt or Operation.Popcnt:
                return Scan(ref cpu, s, in i);
            case Operation.Cbw or Operation.Cwd:
                return ConvertAccumulator(s, in i);
            case Operation.Bswap:
                return ByteSwap(s, in i);
            case Operation.Movnti:
                return Move(ref cpu, s, in i);
            case Operation.Movbe:
                return MoveBigEndian(ref cpu, s, in i);
            case Operation.Xlat:
                return Translate(ref cpu, s, in i);
            case Operation.Leave:
                return Leave(ref cpu, s, in i);
            case Operation.Loop or Operation.Loope or Operation.Loopne or Operation.Jcxz:
                return Loop(s, in i);
            case Operation.Movs or Operation.Cmps or Operation.Stos or Operation.Lods or Operation.Scas or Operation.Ins or Operation.Outs:
                return String(ref cpu, s, in i);
            case Operation.Andn or Operation.Bextr or Operation.Blsi or Operation.Blsmsk or Operation.Blsr or Operation.Bzhi or Operation.Pdep
                or Operation.Pext:
                return Bmi(ref cpu, s, in i);
            case Operation.Rorx or Operation.Sarx or Operation.Shlx or Operation.Shrx:
                return FlaglessShift(ref cpu, s, in i);
            case Operation.Mulx:
                return Mulx(ref cpu, s, in i);
            case Operation.Adcx or Operation.Adox:
                return AddCarry(ref cpu, s, in i);
            case Operation.Crc32:
                return Crc32(ref cpu, s, in i);
            default:
                return DispatchRare(ref cpu, s, in i);
        }
    }

    private static bool DispatchRare(ref TCpu cpu, CpuState s, in Instruction i)
    {
        switch (i.Operation)
        {
            case Operation.Clc or Operation.Stc or Operation.Cmc or Operation.Cld or Operation.Std or Operation.Lahf or Operation.Sahf:
                return FlagOperation(s, in i);
            case Operation.Cli or Operation.Sti:
                return InterruptFlag(s, in i);
            case Operation.Pushf:
                return PushFlags(ref cpu, s, in i);
            case Operation.Popf:
                return PopFlags(ref cpu, s, in i);
            case Operation.Pusha:
                return PushAll(ref cpu, s, in i);
            case Operation.Popa:
                return PopAll(ref cpu, s, in i);
            case Operation.Enter:
                return Enter(ref cpu, s, in i);
            case Operation.Daa or Operation.Das or Operation.Aaa or Operation.Aas or Operation.Aam or Operation.Aad or Operation.Salc:
                return Decimal(s, in i);
            case Operation.Bound:
                return Bound(ref cpu, s, in i);
            case Operation.In or Operation.Out:
                return PortIo(ref cpu, s, in i);
            case Operation.MovSreg:
                return MoveSegment(ref cpu, s, in i);
            case Operation.PushSreg:
                return PushSegment(ref cpu, s, in i);
            case Operation.PopSreg:
                return PopSegment(ref cpu, s, in i);
            case Operation.Les or Operation.Lds or Operation.Lss or Operation.Lfs or Operation.Lgs:
                return LoadFarPointer(ref cpu, s, in i);
            case Operation.Lar or Operation.Lsl or Operation.Verr or Operation.Verw:
                return InspectSelector(ref cpu, s, in i);
            case Operation.Lldt or Operation.Ltr:
                return LoadSystemSegment(ref cpu, s, in i);
            case Operation.Arpl:
                return AdjustRpl(ref cpu, s, in i);
            case Operation.JmpFar or Operation.CallFar or Operation.Retf or Operation.Iret or Operation.Int or Operation.Int3 or Operation.Int1
                or Operation.Into:
                return Far(ref cpu, s, in i);
            case Operation.MovCr:
                return MoveControl(ref cpu, s, in i);
            case Operation.MovDr:
                return MoveDebug(ref cpu, s, in i);
            case Operation.Clts:
                return ClearTaskSwitched(s);
            case Operation.Lmsw:
                return LoadMachineStatus(ref cpu, s, in i);
            case Operation.Smsw or Operation.Sldt or Operation.Str:
                return StoreSystem(ref cpu, s, in i);
            case Operation.Sgdt or Operation.Sidt or Operation.Lgdt or Operation.Lidt:
                return DescriptorTable(ref cpu, s, in i);
            case Operation.Syscall:
                return SystemCall(s);
            case Operation.Sysret:
                return SystemReturn(s, in i);
            case Operation.Sysenter:
                return SystemEnter(s);
            case Operation.Sysexit:
                return SystemExit(s, in i);
            case Operation.Swapgs:
                return SwapGs(s);
            case Operation.Rdfsbase or Operation.Rdgsbase or Operation.Wrfsbase or Operation.Wrgsbase:
                return SegmentBase(s, in i);
            case Operation.Rdmsr:
                return ReadMsr(ref cpu, s);
            case Operation.Wrmsr:
                return WriteMsr(ref cpu, s);
            case Operation.Cpuid:
                return Identify(ref cpu, s);
            case Operation.Rdtsc or Operation.Rdtscp:
                return ReadTimeStamp(ref cpu, s, in i);
            case Operation.Rdpmc:
                return ReadPerformanceCounter(ref cpu, s);
            case Operation.Rdpid:
                return ReadProcessorId(s, in i);
            case Operation.Rdrand or Operation.Rdseed:
                return Random(ref cpu, s, in i);
            case Operation.Xgetbv or Operation.Xsetbv:
                return ExtendedControl(ref cpu, s, in i);
            case Operation.Rdpkru or Operation.Wrpkru:
                return ProtectionKeyRights(s, in i);
            case Operation.Clac or Operation.Stac:
                return AccessControl(s, in i);
            case Operation.Invlpg:
                return InvalidatePage(ref cpu, s, in i);
            case Operation.Invpcid:
                return InvalidatePcid(ref cpu, s, in i);
            case Operation.Invd or Operation.Wbinvd or Operation.Wbnoinvd:
                return IsKernel(s);
            case Operation.Hlt:
                return Halt(s);
            case Operation.Monitor or Operation.Mwait:
                return MonitorWait(ref cpu, s, in i);
            case Operation.Lfence or Operation.Mfence or Operation.Sfence or Operation.Serialize:
                Interlocked.MemoryBarrier();
                return true;
            case Operation.Clflush or Operation.Clflushopt or Operation.Clwb:
                return FlushLine(ref cpu, s, in i);
            case Operation.Ud0 or Operation.Ud1 or Operation.Ud2:
                return Undefined(s);
            default:
                return DispatchVector(ref cpu, s, in i);
        }
    }

    private static bool DispatchVector(ref TCpu cpu, CpuState s, in Instruction i)
    {
        switch (i.Operation)
        {
            case Operation.Movaps or Operation.Movapd or Operation.Movdqa or Operation.Movntps or Operation.Movntpd or Operation.Movntdq
                or Operation.Vmovaps or Operation.Vmovapd or Operation.Vmovdqa or Operation.Vmovntps or Operation.Vmovntpd
                or Operation.Vmovntdq or Operation.Movntdqa:
                return MoveWide(ref cpu, s, in i, aligned: true);
            case Operation.Vmovntdqa:
                return i.Is256 && !s.Has(CpuFeatures.Avx2) ? Undefined(s) : MoveWide(ref cpu, s, in i, aligned: true);
            case Operation.Movups or Operation.Movupd or Operation.Movdqu or Operation.Lddqu or Operation.Vmovups or Operation.Vmovupd
                or Operation.Vmovdqu or Operation.Vlddqu:
                return MoveWide(ref cpu, s, in i, aligned: false);
            case Operation.Movss or Operation.Vmovss:
                return MoveScalar(ref cpu, s, in i, 4);
            case Operation.Movsd or Operation.Vmovsd:
                return MoveScalar(ref cpu, s, in i, 8);
            case Operation.Movlps or Operation.Movlpd or Operation.Movhlps or Operation.Vmovlps or Operation.Vmovlpd or Operation.Vmovhlps:
                return MoveHalf(ref cpu, s, in i, high: false);
            case Operation.Movhps or Operation.Movhpd or Operation.Movlhps or Operation.Vmovhps or Operation.Vmovhpd or Operation.Vmovlhps:
                return MoveHalf(ref cpu, s, in i, high: true);
            case Operation.Movd or Operation.Vmovd:
                return MoveGeneral(ref cpu, s, in i);
            case Operation.Movq or Operation.Vmovq or Operation.Movntq or Operation.Movq2dq or Operation.Movdq2q:
                return MoveQuad(ref cpu, s, in i);
            case Operation.Andps or Operation.Andpd or Operation.Andnps or Operation.Andnpd or Operation.Orps or Operation.Orpd
                or Operation.Xorps or Operation.Xorpd or Operation.Pand or Operation.Pandn or Operation.Por or Operation.Pxor
                or Operation.Vandps or Operation.Vandpd or Operation.Vandnps or Operation.Vandnpd or Operation.Vorps or Operation.Vorpd
                or Operation.Vxorps or Operation.Vxorpd or Operation.Vpand or Operation.Vpandn or Operation.Vpor or Operation.Vpxor:
                return Logic(ref cpu, s, in i);
            case Operation.Movmskps or Operation.Movmskpd or Operation.Pmovmskb or Operation.Vmovmskps or Operation.Vmovmskpd
                or Operation.Vpmovmskb:
                return MoveMask(s, in i);
            case Operation.Vzeroupper or Operation.Vzeroall:
                return ZeroVectors(s, in i);
            case Operation.Fxsave or Operation.Fxrstor:
                return FxState(ref cpu, s, in i);
            case Operation.Xsave or Operation.Xsaveopt or Operation.Xsavec or Operation.Xsaves:
                return Xsave(ref cpu, s, in i);
            case Operation.Xrstor or Operation.Xrstors:
                return Xrstor(ref cpu, s, in i);
            case Operation.Ldmxcsr or Operation.Stmxcsr or Operation.Vldmxcsr or Operation.Vstmxcsr:
                return MxcsrControl(ref cpu, s, in i);
            case Operation.Fninit or Operation.Fnclex or Operation.Fnstcw or Operation.Fnstsw or Operation.Fldcw:
                return X87Control(ref cpu, s, in i);
            case Operation.Emms:
                return Emms(s);
            case Operation.Wait:
                return Wait(s);
            default:
                return DispatchSse(ref cpu, s, in i);
        }
    }
}
