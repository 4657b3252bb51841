// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Execution;

/// <summary>What CPUID tells the guest, as far as instructions raise #UD without it or their meaning depends on it.</summary>
[Flags]
public enum CpuFeatures : ulong
{
    /// <summary>An 80386 with what long mode implies.</summary>
    None = 0,

    /// <summary>POPCNT.</summary>
    Popcnt = 1UL << 0,

    /// <summary>LZCNT; without it the encoding is BSR.</summary>
    Lzcnt = 1UL << 1,

    /// <summary>BMI1: ANDN, BEXTR, BLSI, BLSMSK, BLSR, TZCNT (without it the encoding is BSF).</summary>
    Bmi1 = 1UL << 2,

    /// <summary>BMI2: BZHI, MULX, PDEP, PEXT, RORX, SARX, SHLX, SHRX.</summary>
    Bmi2 = 1UL << 3,

    /// <summary>ADCX and ADOX.</summary>
    Adx = 1UL << 4,

    /// <summary>MOVBE.</summary>
    Movbe = 1UL << 5,

    /// <summary>SSE4.2, CRC32 with it.</summary>
    Sse42 = 1UL << 6,

    /// <summary>CMPXCHG16B.</summary>
    Cmpxchg16b = 1UL << 7,

    /// <summary>RDTSCP and IA32_TSC_AUX.</summary>
    Rdtscp = 1UL << 8,

    /// <summary>RDPID.</summary>
    Rdpid = 1UL << 9,

    /// <summary>RDRAND.</summary>
    Rdrand = 1UL << 10,

    /// <summary>RDSEED.</summary>
    Rdseed = 1UL << 11,

    /// <summary>RDFSBASE and its relatives (CR4.FSGSBASE exists).</summary>
    FsGsBase = 1UL << 12,

    /// <summary>SMAP: CLAC, STAC, CR4.SMAP.</summary>
    Smap = 1UL << 13,

    /// <summary>SMEP.</summary>
    Smep = 1UL << 14,

    /// <summary>INVPCID.</summary>
    Invpcid = 1UL << 15,

    /// <summary>PCID.</summary>
    Pcid = 1UL << 16,

    /// <summary>XSAVE, XRSTOR, XGETBV, XSETBV.</summary>
    Xsave = 1UL << 17,

    /// <summary>XSAVEOPT.</summary>
    Xsaveopt = 1UL << 18,

    /// <summary>XSAVEC and the compacted form of XRSTOR.</summary>
    Xsavec = 1UL << 19,

    /// <summary>XSAVES, XRSTORS and IA32_XSS.</summary>
    Xsaves = 1UL << 20,

    /// <summary>XGETBV with ECX = 1.</summary>
    Xgetbv1 = 1UL << 21,

    /// <summary>AVX.</summary>
    Avx = 1UL << 22,

    /// <summary>AVX2.</summary>
    Avx2 = 1UL << 23,

    /// <summary>Protection keys for user pages.</summary>
    Pku = 1UL << 24,

    /// <summary>UMIP.</summary>
    Umip = 1UL << 25,

    /// <summary>5-level paging.</summary>
    La57 = 1UL << 26,

    /// <summary>CLFLUSHOPT.</summary>
    Clflushopt = 1UL << 27,

    /// <summary>CLWB.</summary>
    Clwb = 1UL << 28,

    /// <summary>MONITOR and MWAIT.</summary>
    Monitor = 1UL << 29,

    /// <summary>AVX-512 Foundation, for the XSAVE components.</summary>
    Avx512 = 1UL << 30,

    /// <summary>The no-execute bit (IA32_EFER.NXE).</summary>
    NoExecute = 1UL << 31,

    /// <summary>Long mode.</summary>
    LongMode = 1UL << 32,

    /// <summary>SYSCALL and SYSRET.</summary>
    Syscall = 1UL << 33,

    /// <summary>SYSENTER and SYSEXIT.</summary>
    Sysenter = 1UL << 34,

    /// <summary>MXCSR.MM, by which operands of SSE need no alignment (AMD, volume 1, MXCSR register).</summary>
    MisalignedSse = 1UL << 35,

    /// <summary>SSE3, FISTTP with it.</summary>
    Sse3 = 1UL << 36,

    /// <summary>SSSE3.</summary>
    Ssse3 = 1UL << 37,

    /// <summary>SSE4.1.</summary>
    Sse41 = 1UL << 38,

    /// <summary>PCLMULQDQ.</summary>
    Pclmulqdq = 1UL << 39,

    /// <summary>AES-NI.</summary>
    Aes = 1UL << 40,

    /// <summary>SHA-1 and SHA-256.</summary>
    Sha = 1UL << 41,

    /// <summary>FMA.</summary>
    Fma = 1UL << 42,

    /// <summary>F16C.</summary>
    F16c = 1UL << 43,

    /// <summary>Pages of 1 GiB.</summary>
    GigabytePages = 1UL << 44,

    /// <summary>All that the executor knows of Intel's processors.</summary>
    All = (1UL << 45) - 1 & ~MisalignedSse,
}
