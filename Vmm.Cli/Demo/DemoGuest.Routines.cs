// SPDX-License-Identifier: BSD-2-Clause

using Iced.Intel;
using Vmm.Machine.Board;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Cli.Demo;

/// <content>What the demo's code calls: output, and the handler of the timer.</content>
internal static partial class DemoGuest
{
    /// <summary>Subroutines and texts behind the code. They destroy RAX, RBX, RCX, RDX, RSI and RDI.</summary>
    private sealed class Routines
    {
        private const int MostDigits = 20;
        private const ulong NumberEnd = Scratch + 0x100;
        private readonly Assembler _c;
        private readonly List<(Label Label, byte[] Text)> _texts = [];
        private Label _write;
        private Label _number;
        private Label _timer;

        public Routines(Assembler c)
        {
            _c = c;
            _write = c.CreateLabel();
            _number = c.CreateLabel();
            _timer = c.CreateLabel();
        }

        /// <summary>The handler of the timer's interrupt.</summary>
        public Label TimerHandler => _timer;

        /// <summary>Prints a text.</summary>
        public void Print(string text)
        {
            Label label = _c.CreateLabel();
            byte[] bytes = Ascii(text);
            _texts.Add((label, bytes));
            _c.lea(rsi, __[label]);
            _c.mov(ecx, bytes.Length);
            _c.call(_write);
        }

        /// <summary>Prints bytes of memory.</summary>
        public void PrintMemory(ulong address, int length)
        {
            _c.mov(esi, (uint)address);
            _c.mov(ecx, length);
            _c.call(_write);
        }

        /// <summary>Prints EAX in decimal.</summary>
        public void PrintNumber() => _c.call(_number);

        /// <summary>Places everything.</summary>
        public void Emit()
        {
            EmitWrite();
            EmitNumber();
            EmitTimer();
            foreach ((Label label, byte[] text) in _texts)
            {
                Label here = label;
                _c.Label(ref here);
                _c.db(text);
            }
        }

        // RSI, ECX: the bytes; string output to the serial port's data register.
        private void EmitWrite()
        {
            _c.Label(ref _write);
            _c.mov(dx, PcMachine.SerialPortBase);
            _c.cld();
            _c.rep.outsb();
            _c.ret();
        }

        // EAX: the number, made into digits from the last to the first.
        private void EmitNumber()
        {
            Label digit = _c.CreateLabel();
            _c.Label(ref _number);
            _c.mov(esi, (uint)NumberEnd);
            _c.mov(ebx, 10);
            _c.Label(ref digit);
            _c.xor(edx, edx);
            _c.div(ebx);
            _c.add(dl, (sbyte)'0');
            _c.dec(rsi);
            _c.mov(__byte_ptr[rsi], dl);
            _c.test(eax, eax);
            _c.jnz(digit);
            _c.mov(ecx, (uint)NumberEnd);
            _c.sub(ecx, esi);
            _c.jmp(_write);
        }

        private void EmitTimer()
        {
            const byte EndOfInterrupt = 0x20;
            _c.Label(ref _timer);
            _c.push(rax);
            _c.mov(eax, (uint)(ResultAddress + DemoResult.TicksOffset));
            _c.inc(__dword_ptr[rax]);
            _c.mov(al, EndOfInterrupt);
            _c.@out(0x20, al);
            _c.pop(rax);
            _c.iretq();
        }
    }
}
