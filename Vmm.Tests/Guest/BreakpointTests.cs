// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Software;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Guest;

/// <summary>
/// The guest's own breakpoints (Intel SDM volume 3, chapter 19). The handler of #DB counts in R15, leaves DR6 in R12, the frame's RIP in
/// R13 and its RFLAGS in R14, and sets RF.
/// </summary>
[TestFixture("kvm", Category = "Kvm")]
[TestFixture("software")]
public sealed class BreakpointTests(string kind)
{
    private const ulong Handler = 0x48000;
    private const ulong DebugVector = 1;
    private const long Data = (long)LongModeMachine.Data;
    private const ushort Port = 0x42;
    private const ulong ResumeFlag = 1 << 16;
    private const ulong SingleStep = 1 << 14;
    private const ulong AccessDetected = 1 << 13;
    private const ulong DebugExtensions = 1 << 3;

    private LongModeMachine? _guest;

    private LongModeMachine Guest => _guest!;

    [OneTimeSetUp]
    public void RequireBreakpoints()
    {
        using IHypervisorBackend backend = Open();
        if (backend.Description.InterpretsKernelMode)
        {
            Assert.Ignore("the hypervisor interprets kernel mode, and does not watch what it accesses there");
        }
    }

    [SetUp]
    public void MakeGuest()
    {
        _guest = new LongModeMachine(Open());
        Guest.Assemble(Handler, a =>
        {
            a.mov(r12, dr6);
            a.mov(r13, __[rsp]);
            a.mov(r14, __[rsp + 16]);
            a.or(__dword_ptr[rsp + 16], (int)ResumeFlag);
            a.inc(r15);
            a.mov(r11d, 0xffff0ff0);
            a.mov(dr6, r11);
            a.iretq();
        });
        Guest.Assemble(LongModeMachine.Handlers + (DebugVector * 16), a => a.jmp(Handler));
    }

    [TearDown]
    public void DisposeGuest()
    {
        _guest?.Dispose();
        _guest = null;
    }

    [Test]
    public void Watched_write_traps_behind_the_instruction()
    {
        Watch(0, Data, Condition.Write, 4);
        ulong behind = 0;
        Run(a =>
        {
            a.mov(ecx, __dword_ptr[Data]);
            a.mov(__dword_ptr[Data], 5);
            behind = Here(a);
            a.nop();
        });

        Met().Should().Be(1);
        Count().Should().Be(1);
        Register(RegisterName.R13).Should().Be(behind);
        (Register(RegisterName.R14) & ResumeFlag).Should().Be(0);
        Guest.Read64(LongModeMachine.Data).Should().Be(5, "a trap comes when the write is done");
    }

    [Test]
    public void Watched_access_traps_on_reads_too()
    {
        Watch(2, Data, Condition.Access, 1);
        Run(a => a.mov(cl, __byte_ptr[Data]));
        Met().Should().Be(4);
        Count().Should().Be(1);
    }

    [TestCase(4, 4, 3, 1, false)]
    [TestCase(4, 4, 4, 1, true)]
    [TestCase(4, 4, 7, 1, true)]
    [TestCase(4, 4, 8, 1, false)]
    [TestCase(4, 4, 0, 8, true)]
    [TestCase(4, 4, 1, 4, true)]
    [TestCase(4, 4, 0, 4, false)]
    [TestCase(6, 4, 4, 1, true, Description = "the low bits of the address do not count")]
    [TestCase(8, 8, 15, 1, true)]
    [TestCase(8, 8, 16, 8, false)]
    [TestCase(2, 2, 1, 2, true)]
    [TestCase(2, 2, 4, 2, false)]
    [TestCase(1, 1, 0, 2, true)]
    public void Any_byte_in_common_meets_the_breakpoint(int watched, int watchedLength, int accessed, int length, bool meets)
    {
        Watch(0, Data + watched, Condition.Write, watchedLength);
        Run(a => Store(a, Data + accessed, length));
        Count().Should().Be(meets ? 1u : 0);
    }

    [Test]
    public void Access_across_pages_is_seen_in_its_second_page()
    {
        const long Page = Data + 0x1000;
        Watch(0, Page, Condition.Access, 1);
        Run(a => a.mov(rcx, __qword_ptr[Page - 4]));
        Count().Should().Be(1);
    }

    [Test]
    public void Breakpoints_met_together_are_one_trap()
    {
        Watch(0, Data, Condition.Write, 4);
        Watch(1, Data + 16, Condition.Write, 4);
        Watch(3, Data + 4, Condition.Access, 4);
        Run(a => Store(a, Data, 8));
        Met().Should().Be(9);
        Count().Should().Be(1);
    }

    [Test]
    public void Breakpoint_that_is_not_enabled_is_not_met()
    {
        Watch(0, Data, Condition.Write, 4);
        Watch(1, Data + 8, Condition.Write, 4);
        ulong enabled = Register(RegisterName.Dr7);
        Guest.Cpu.SetRegister(RegisterName.Dr7, enabled & ~3ul);
        Run(a =>
        {
            Store(a, Data, 4);
            Store(a, Data + 8, 4);
            a.mov(eax, 0x400);
            a.mov(dr7, rax);
            Store(a, Data + 8, 4);
        });
        Count().Should().Be(1);
        Met().Should().Be(2);
    }

    [Test]
    public void Guest_arms_its_breakpoints_itself()
    {
        Run(a =>
        {
            a.mov(rax, Data);
            a.mov(dr0, rax);
            a.mov(eax, (int)(0x400 | Enable(0, Condition.Write, 4)));
            a.mov(dr7, rax);
            Store(a, Data, 4);
        });
        Count().Should().Be(1, "the instruction directly behind MOV DR7 is watched");
    }

    [TestCase("push", true)]
    [TestCase("call", true)]
    [TestCase("xchg", true)]
    [TestCase("lock add", true)]
    [TestCase("cmpxchg16b", true)]
    [TestCase("movups", true)]
    [TestCase("fxsave", true)]
    [TestCase("fstp", true)]
    [TestCase("setcc", true)]
    [TestCase("bts", true)]
    [TestCase("movs", true)]
    [TestCase("cmp", false)]
    [TestCase("lods", false)]
    [TestCase("lea", false)]
    public void Every_kind_of_write_is_watched(string instruction, bool writes)
    {
        Watch(0, Data, Condition.Write, 8);
        Run(a =>
        {
            a.mov(rbx, Data);
            a.mov(rsi, Data);
            a.mov(rdi, Data);
            switch (instruction)
            {
                case "push":
                    a.lea(rsp, __[rbx + 8]);
                    a.push(rax);
                    break;
                case "call":
                    a.lea(rsp, __[rbx + 8]);
                    Label next = a.CreateLabel();
                    a.call(next);
                    a.Label(ref next);
                    break;
                case "xchg":
                    a.xchg(__[rbx], eax);
                    break;
                case "lock add":
                    a.@lock.add(__dword_ptr[rbx + 4], 1);
                    break;
                case "cmpxchg16b":
                    a.cmpxchg16b(__[rbx]);
                    break;
                case "movups":
                    a.movups(__[rbx - 9], xmm0);
                    break;
                case "fxsave":
                    a.fxsave(__[rbx - 64]);
                    break;
                case "fstp":
                    a.fldz();
                    a.fstp(__tbyte_ptr[rbx - 9]);
                    break;
                case "setcc":
                    a.sete(__[rbx]);
                    break;
                case "bts":
                    a.bts(__dword_ptr[rbx], 3);
                    break;
                case "movs":
                    a.movsb();
                    break;
                case "cmp":
                    a.cmp(__dword_ptr[rbx], 3);
                    break;
                case "lods":
                    a.lodsq();
                    break;
                default:
                    a.lea(rax, __[rbx]);
                    break;
            }

            a.mov(rsp, (long)LongModeMachine.StackTop(default));
        });
        Count().Should().Be(writes ? 1u : 0);
    }

    [Test]
    public void Repeated_instruction_traps_behind_the_element()
    {
        Watch(0, Data + 40, Condition.Write, 1);
        ulong at = 0;
        Run(a =>
        {
            a.mov(rdi, Data);
            a.mov(ecx, 100);
            a.mov(al, 0x77);
            at = Here(a);
            a.rep.stosb();
        });

        Count().Should().Be(1);
        Register(RegisterName.R13).Should().Be(at, "59 elements are left");
        Register(RegisterName.Rcx).Should().Be(0);
        Guest.Read(LongModeMachine.Data, 101).Should().Equal([.. Enumerable.Repeat((byte)0x77, 100), 0]);
    }

    [Test]
    public void Breakpoint_on_execution_faults_before_the_instruction()
    {
        ulong at = 0;
        Run(a =>
        {
            a.mov(rax, (long)LongModeMachine.Code + 100);
            a.mov(dr1, rax);
            a.mov(eax, (int)(0x400 | Enable(1, Condition.Execution, 1)));
            a.mov(dr7, rax);
            a.jmp(LongModeMachine.Code + 100);
            while (Here(a) < LongModeMachine.Code + 100)
            {
                a.nop();
            }

            at = Here(a);
            a.inc(ebx);
            a.inc(ebx);
        });

        Met().Should().Be(2);
        Count().Should().Be(1, "RF in the frame lets the instruction go on");
        Register(RegisterName.R13).Should().Be(at);
        Register(RegisterName.Rbx).Should().Be(2);
    }

    [TestCase(true, 1)]
    [TestCase(false, 0)]
    public void Port_is_watched_where_CR4_permits_it(bool extensions, int traps)
    {
        if (kind == "kvm")
        {
            Assert.Ignore("KVM carries port accesses out itself, and does not look at breakpoints on them");
        }

        Watch(3, Port, Condition.Port, 2);
        if (extensions)
        {
            Guest.Cpu.SetRegister(RegisterName.Cr4, Register(RegisterName.Cr4) | DebugExtensions);
        }

        ulong behind = 0;
        Guest.Assemble(a =>
        {
            a.@out(Port + 2, al);
            a.@out(Port + 1, al);
            behind = Here(a);
        });
        VmExit exit = Guest.Run();
        exit.Port.Port.Should().Be(Port + 2);
        exit = Guest.Run(VmEntry.FulfillPort(exit.Port));
        exit.Port.Port.Should().Be(Port + 1);
        exit = Guest.Run(VmEntry.FulfillPort(exit.Port));
        exit.Port.Port.Should().Be(LongModeMachine.EndPort);
        Count().Should().Be((uint)traps);
        Register(RegisterName.R13).Should().Be(traps == 0 ? 0 : behind);
        Met().Should().Be(traps == 0 ? 0u : 8);
    }

    [Test]
    public void General_detect_faults_on_access_to_debug_registers()
    {
        const ulong GeneralDetect = 1 << 13;
        Guest.Cpu.SetRegister(RegisterName.Dr7, 0x400 | GeneralDetect);
        ulong at = LongModeMachine.Code;
        Run(a => a.mov(rax, dr0));
        Count().Should().Be(1);
        Register(RegisterName.R13).Should().Be(at);
        (Register(RegisterName.R12) & AccessDetected).Should().NotBe(0);
        (Register(RegisterName.Dr7) & GeneralDetect).Should().Be(0, "the handler may access them");
    }

    [Test]
    public void Trap_of_MOV_SS_waits_for_the_next_instruction()
    {
        Watch(0, Data, Condition.Access, 2);
        Guest.Write(LongModeMachine.Data, 0x18);
        ulong behind = 0;
        Run(a =>
        {
            a.mov(ss, __word_ptr[Data]);
            a.mov(ebx, 1);
            behind = Here(a);
        });
        Count().Should().Be(1);
        Register(RegisterName.R13).Should().Be(behind);
    }

    [Test]
    public void Instruction_that_faults_meets_nothing()
    {
        const ulong Divide = 0;
        Guest.Assemble(LongModeMachine.Handlers + (Divide * 16), a =>
        {
            a.add(__qword_ptr[rsp], 7);
            a.iretq();
        });
        Watch(0, Data, Condition.Access, 4);
        Run(a => a.div(__dword_ptr[Data]));
        Count().Should().Be(0);
    }

    [Test]
    public void Step_and_breakpoint_are_one_trap()
    {
        Watch(0, Data, Condition.Write, 1);
        Run(a =>
        {
            a.pushfq();
            a.or(__dword_ptr[rsp], 0x100);
            a.popfq();
            a.mov(__byte_ptr[Data], 1);
            a.mov(r10, r12);
            a.pushfq();
            a.and(__dword_ptr[rsp], ~0x100);
            a.popfq();
        });
        Register(RegisterName.R10).Should().Be(0xffff0ff0 | SingleStep | 1);
    }

    [Test]
    public void Frame_on_a_watched_stack_traps_at_the_handler()
    {
        const byte Vector = 0x40;
        ulong handler = LongModeMachine.Handlers + (Vector * 16ul);
        Guest.Assemble(handler, a => a.iretq());
        ulong frame = LongModeMachine.StackTop(default) - 8;
        Watch(0, (long)frame, Condition.Write, 8);
        Run(a =>
        {
            a.@int(Vector);
            a.mov(r10, r13);
        });
        Register(RegisterName.R10).Should().Be(handler, "the handler's first instruction has not executed");
    }

    [Test]
    public void User_mode_is_watched_as_well()
    {
        Watch(0, Data, Condition.Write, 4);
        LongModeMachine.EnterUserMode(Guest.Cpu, LongModeMachine.Code);
        Run(a => Store(a, Data, 4));
        Count().Should().Be(1);
    }

    private enum Condition
    {
        Execution,
        Write,
        Port,
        Access,
    }

    private IHypervisorBackend Open() => kind == "kvm" ? KvmRequirement.OpenBackend() : new SoftwareBackend();

    private static ulong Enable(int number, Condition condition, int length)
    {
        ulong code = length switch
        {
            1 => 0,
            2 => 1,
            8 => 2,
            _ => 3,
        };
        return 2ul << (number * 2) | ((ulong)condition | code << 2) << (16 + number * 4);
    }

    private void Watch(int number, long address, Condition condition, int length)
    {
        Guest.Cpu.SetRegister(RegisterName.Dr0 + number, (ulong)address);
        Guest.Cpu.SetRegister(RegisterName.Dr7, Register(RegisterName.Dr7) | 0x400 | Enable(number, condition, length));
    }

    private static void Store(Assembler a, long address, int length)
    {
        switch (length)
        {
            case 1:
                a.mov(__byte_ptr[address], 1);
                break;
            case 2:
                a.mov(__word_ptr[address], 1);
                break;
            case 4:
                a.mov(__dword_ptr[address], 1);
                break;
            default:
                a.mov(__qword_ptr[address], 1);
                break;
        }
    }

    /// <summary>The address of the next instruction, of code at <see cref="LongModeMachine.Code"/>.</summary>
    private static ulong Here(Assembler a)
    {
        using MemoryStream stream = new();
        a.Assemble(new StreamCodeWriter(stream), LongModeMachine.Code);
        return LongModeMachine.Code + (ulong)stream.Length;
    }

    private void Run(Action<Assembler> write)
    {
        Guest.Assemble(write);
        Guest.RunToEnd();
    }

    private ulong Register(RegisterName name) => Guest.Cpu.GetRegister(name);

    private ulong Met() => Register(RegisterName.R12) & 0xf;

    private ulong Count() => Register(RegisterName.R15);
}
