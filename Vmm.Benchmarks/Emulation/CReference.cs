// SPDX-License-Identifier: BSD-2-Clause

using System.Diagnostics;
using System.Globalization;

namespace Vmm.Benchmarks.Emulation;

/// <summary>
/// A small interpreter of the same loops in C, built by gcc for the run: it decodes each instruction as it comes, computes
/// the same flags, and bounds-checks memory, but knows only the opcodes that the loops use.
/// </summary>
internal sealed class CReference : IDisposable
{
    internal const int RegisterLoop = 0;
    internal const int CopyLoop = 1;

    private const string Source = """
        #include <stdint.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <time.h>
        static uint8_t mem[1 << 20];
        static uint32_t r[8], eip, fl;
        static const uint8_t regs[] = {0x01,0xC8,0x31,0xC2,0xFF,0xC1,0x8D,0x5C,0x48,0x03,0xD1,0xE6,0x29,0xDF,0x85,0xFF,0xEB,0xEE};
        static const uint8_t copy[] = {0xBE,0,0,1,0,0xBF,0,0,2,0,0xB9,0,0x10,0,0,0x8B,0x06,0x89,0x07,0x83,0xC6,4,0x83,0xC7,4,0xFF,0xC9,0x75,0xF2,0xEB,0xE1};
        static void szp(uint32_t v) { fl = (fl & ~0xC4u) | (v == 0 ? 0x40 : 0) | (v >> 31 << 7) | ((~__builtin_popcount(v & 255) & 1) << 2); }
        static void add_flags(uint32_t a, uint32_t b, uint32_t s) { fl = (fl & ~0x811u) | (s < a) | ((a ^ b ^ s) & 16) | (((a ^ s) & (b ^ s)) >> 31 << 11); szp(s); }
        static void sub_flags(uint32_t a, uint32_t b, uint32_t d) { fl = (fl & ~0x811u) | (a < b) | ((a ^ b ^ d) & 16) | (((a ^ b) & (a ^ d)) >> 31 << 11); szp(d); }
        static void fail(void) { fprintf(stderr, "opcode %02x\n", mem[eip]); exit(1); }
        static uint32_t ld(uint32_t a) { uint32_t v; if (a > sizeof mem - 4) fail(); memcpy(&v, mem + a, 4); return v; }
        static void st(uint32_t a, uint32_t v) { if (a > sizeof mem - 4) fail(); memcpy(mem + a, &v, 4); }
        static uint32_t ea(uint32_t *n) {
          uint8_t m = mem[*n]; uint32_t a = 0, rm = m & 7, mod = m >> 6; (*n)++;
          if (rm == 4) { uint8_t s = mem[(*n)++]; a = r[s & 7] + (((s >> 3) & 7) == 4 ? 0 : r[(s >> 3) & 7] << (s >> 6)); } else a = r[rm];
          if (mod == 1) a += (int8_t)mem[(*n)++]; else if (mod == 2) { a += ld(*n); *n += 4; }
          return a;
        }
        static void step(void) {
          if (eip > sizeof mem - 16) fail();
          uint32_t n = eip + 1; uint8_t op = mem[eip], m; uint32_t a, b, v, g, cf;
          switch (op) {
            case 0x01: case 0x29: case 0x31: case 0x85: case 0x89:
              m = mem[n]; g = r[(m >> 3) & 7];
              if (m >= 0xC0) { n++; a = r[m & 7]; } else { uint32_t at = ea(&n); if (op == 0x89) { st(at, g); break; } fail(); }
              if (op == 0x01) { v = a + g; add_flags(a, g, v); } else if (op == 0x29) { v = a - g; sub_flags(a, g, v); }
              else if (op == 0x31) { v = a ^ g; fl &= ~0x811u; szp(v); } else if (op == 0x89) v = g;
              else { fl &= ~0x811u; szp(a & g); break; }
              r[m & 7] = v; break;
            case 0x8B: m = mem[n]; if (m >= 0xC0) { n++; v = r[m & 7]; } else v = ld(ea(&n)); r[(m >> 3) & 7] = v; break;
            case 0x8D: m = mem[n]; v = ea(&n); r[(m >> 3) & 7] = v; break;
            case 0x83: m = mem[n++]; b = (int8_t)mem[n++]; a = r[m & 7]; if (m < 0xC0 || ((m >> 3) & 7)) fail(); v = a + b; add_flags(a, b, v); r[m & 7] = v; break;
            case 0xFF: m = mem[n++]; a = r[m & 7]; cf = fl & 1; if ((m >> 3 & 7) == 0) { v = a + 1; add_flags(a, 1, v); } else { v = a - 1; sub_flags(a, 1, v); } fl = (fl & ~1u) | cf; r[m & 7] = v; break;
            case 0xD1: m = mem[n++]; a = r[m & 7]; v = a << 1; fl = (fl & ~0x811u) | (a >> 31) | (((v >> 31) ^ (a >> 31)) << 11); szp(v); r[m & 7] = v; break;
            case 0xB9: case 0xBE: case 0xBF: r[op & 7] = ld(n); n += 4; break;
            case 0x75: b = (int8_t)mem[n++]; if (!(fl & 0x40)) n += b; break;
            case 0xEB: b = (int8_t)mem[n++]; n += b; break;
            default: fail();
          }
          eip = n;
        }
        int main(void) {
          int loop; long count;
          memset(mem, 0, sizeof mem);
          while (scanf("%d %ld", &loop, &count) == 2) {
            if (loop) memcpy(mem + 0x8000, copy, sizeof copy); else memcpy(mem + 0x8000, regs, sizeof regs);
            eip = 0x8000;
            struct timespec s, e; clock_gettime(CLOCK_MONOTONIC, &s);
            for (long i = 0; i < count; i++) step();
            clock_gettime(CLOCK_MONOTONIC, &e);
            printf("%.3f\n", count / ((e.tv_sec - s.tv_sec) + (e.tv_nsec - s.tv_nsec) / 1e9) / 1e6); fflush(stdout);
          }
          return 0;
        }
        """;

    private readonly string _folder;
    private readonly Process _process;

    private CReference(string folder, Process process)
    {
        _folder = folder;
        _process = process;
    }

    /// <summary>Null where there is no gcc.</summary>
    internal static CReference? TryBuild()
    {
        string folder = Directory.CreateTempSubdirectory("vmm-reference").FullName;
        string program = Path.Combine(folder, "reference");
        File.WriteAllText(program + ".c", Source);
        try
        {
            using Process compiler = Process.Start("gcc", ["-O2", "-o", program, program + ".c"]);
            compiler.WaitForExit();
            if (compiler.ExitCode == 0)
            {
                ProcessStartInfo start = new(program) { RedirectStandardInput = true, RedirectStandardOutput = true };
                return new(folder, Process.Start(start)!);
            }
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Console.WriteLine("gcc is not installed: no C reference");
        }

        Directory.Delete(folder, recursive: true);
        return null;
    }

    /// <summary>Millions of instructions a second.</summary>
    internal double Run(int loop, long count)
    {
        _process.StandardInput.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{loop} {count}"));
        _process.StandardInput.Flush();
        return double.Parse(_process.StandardOutput.ReadLine()!, CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        _process.StandardInput.Close();
        _process.WaitForExit();
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
