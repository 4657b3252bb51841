// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Machine;
using Vmm.Machine.Board;
using Vmm.Machine.Debugging;
using Vmm.Software;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Machine.Debugging;

/// <summary>
/// A PC with two vCPUs that waits for a debugger. vCPU 0 starts vCPU 1, which then counts in real mode, waits for its first count, stores
/// a value, and calls a function in a loop.
/// </summary>
internal sealed class GdbMachine : IDisposable
{
    public const ulong Start = 0x100000;
    public const ulong Function = 0x100100;
    public const ulong Stored = 0x200000;
    public const ulong OthersCode = 0x8000;
    public const ulong Value = 0x1122334455667788;

    private const ulong OthersCount = 0x9000;

    private readonly IHypervisorBackend _backend;
    private readonly Background _run;

    public GdbMachine(string kind, string endpoint = ":0", bool paused = true)
    {
        _backend = kind == "kvm" ? KvmRequirement.OpenBackend() : new SoftwareBackend();
        Machine = PcMachine.Create(_backend, new PcOptions
        {
            MemorySize = 16 << 20,
            Cpus = 2,
            InterruptControllerMode = kind == "kvm" ? InterruptControllerMode.Kernel : InterruptControllerMode.Userspace,
        });
        Machine.LoadFlat(Code(), new(Start), longMode: true);
        GdbEndpoint.TryParse(endpoint, out GdbEndpoint? where).Should().BeTrue();
        Debugger = Machine.EnableDebugging(paused);
        Server = GdbServer.Start(Debugger, where!);
        _run = Background.Start(() => Result = Machine.Run());
    }

    public PcMachine Machine { get; }

    public MachineDebugger Debugger { get; }

    public GdbServer Server { get; }

    public MachineResult? Result { get; private set; }

    /// <summary>Waits for the machine's end.</summary>
    public MachineResult End()
    {
        _run.Join();
        return Result!;
    }

    public void Dispose()
    {
        Machine.Stop("the test is over");
        _run.Join();
        Server.Dispose();
        Machine.Dispose();
        _backend.Dispose();
    }

    private static byte[] Code()
    {
        const int InterruptCommand = unchecked((int)0xfee00300);
        byte[] image = new byte[0x200];
        Put(Start, a =>
        {
            // inc word [OthersCount] / jmp back, for vCPU 1
            a.mov(__dword_ptr[(long)OthersCode], unchecked(0x06ff | (int)(OthersCount << 16)));
            a.mov(__dword_ptr[(long)OthersCode + 4], 0xfaeb);
            a.mov(edi, InterruptCommand);
            a.mov(__dword_ptr[rdi], 0x000c4500);
            a.mov(__dword_ptr[rdi], 0x000c4600 | (int)(OthersCode >> 12));
            Label wait = a.CreateLabel();
            a.Label(ref wait);
            a.cmp(__word_ptr[(long)OthersCount], 0);
            a.je(wait);
            a.mov(rsp, (long)Start - 0x1000);
            a.mov(rbx, Value);
            a.mov(__qword_ptr[(long)Stored], rbx);
            Label loop = a.CreateLabel();
            a.Label(ref loop);
            a.call(Function);
            a.inc(rcx);
            a.jmp(loop);
        });
        Put(Function, a =>
        {
            a.add(rdx, 2);
            a.ret();
        });
        return image;

        void Put(ulong address, Action<Assembler> write)
        {
            Assembler assembler = new(64);
            write(assembler);
            using MemoryStream stream = new();
            assembler.Assemble(new StreamCodeWriter(stream), address);
            stream.ToArray().CopyTo(image, (int)(address - Start));
        }
    }
}
