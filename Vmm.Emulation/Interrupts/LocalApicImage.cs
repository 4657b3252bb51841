// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;

namespace Vmm.Emulation.Interrupts;

/// <summary>
/// The state of a local APIC that somebody else has, as its register page shows it in xAPIC mode (SDM volume 3, "Local APIC Register
/// Address Map").
/// </summary>
public static class LocalApicImage
{
    private const long NanosecondsPerSecond = 1_000_000_000;
    private const int VectorWords = 8;

    /// <summary>The vectors that are requested or in service.</summary>
    /// <param name="page">The page.</param>
    /// <returns>The vectors.</returns>
    public static VectorBits ReadHeldVectors(ReadOnlySpan<byte> page) =>
        ReadVectors(page, ApicRegister.Request).Union(ReadVectors(page, ApicRegister.InService));

    /// <summary>Whether the guest has enabled it in the spurious-interrupt vector register.</summary>
    /// <param name="page">The page.</param>
    /// <returns>Whether it is enabled.</returns>
    public static bool IsSoftwareEnabled(ReadOnlySpan<byte> page) =>
        (Register(page, ApicRegister.SpuriousVector) & ApicBits.SpuriousEnable) != 0;

    /// <summary>The version register.</summary>
    /// <param name="page">The page.</param>
    /// <returns>The register.</returns>
    public static uint ReadVersion(ReadOnlySpan<byte> page) => Register(page, ApicRegister.Version);

    /// <summary>One register of the local vector table.</summary>
    /// <param name="page">The page.</param>
    /// <param name="index">LINT0 0, LINT1 1, timer 2, error 3, performance 4, thermal 5, CMCI 6.</param>
    /// <returns>The register.</returns>
    public static uint ReadLocalVector(ReadOnlySpan<byte> page, int index) => Register(page, (LocalVector)index switch
    {
        LocalVector.Lint0 => ApicRegister.LvtLint0,
        LocalVector.Lint1 => ApicRegister.LvtLint1,
        LocalVector.Timer => ApicRegister.LvtTimer,
        LocalVector.Error => ApicRegister.LvtError,
        LocalVector.Performance => ApicRegister.LvtPerformance,
        LocalVector.Thermal => ApicRegister.LvtThermal,
        _ => ApicRegister.LvtCmci,
    });

    /// <summary>Reads the state.</summary>
    /// <param name="page">The page.</param>
    /// <param name="outside">What is not in the page: id, IA32_APIC_BASE, IA32_TSC_DEADLINE.</param>
    /// <param name="now">The VM's time, from which the timer's count goes on.</param>
    /// <param name="timerFrequency">The rate of the timer's clock.</param>
    /// <returns>The state; pending errors and a pending external interrupt are not visible and stay zero.</returns>
    public static LocalApicState Read(ReadOnlySpan<byte> page, LocalApicState outside, long now, long timerFrequency)
    {
        ArgumentNullException.ThrowIfNull(outside);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(timerFrequency);
        ulong left = (ulong)Register(page, ApicRegister.CurrentCount) << DivideShift(Register(page, ApicRegister.DivideConfiguration));
        UInt128 nanoseconds = (((UInt128)left * NanosecondsPerSecond) + (ulong)timerFrequency - 1) / (ulong)timerFrequency;
        return outside with
        {
            TaskPriority = (byte)Register(page, ApicRegister.TaskPriority),
            LogicalDestination = Register(page, ApicRegister.LogicalDestination),
            DestinationFormat = Register(page, ApicRegister.DestinationFormat),
            SpuriousVector = Register(page, ApicRegister.SpuriousVector),
            InService = ReadVectors(page, ApicRegister.InService),
            TriggerMode = ReadVectors(page, ApicRegister.TriggerMode),
            Requests = ReadVectors(page, ApicRegister.Request),
            ErrorStatus = Register(page, ApicRegister.ErrorStatus),
            InterruptCommand =
                Register(page, ApicRegister.CommandLow) | ((ulong)Register(page, ApicRegister.CommandHigh) << 32),
            LvtLint0 = Register(page, ApicRegister.LvtLint0),
            LvtLint1 = Register(page, ApicRegister.LvtLint1),
            LvtTimer = Register(page, ApicRegister.LvtTimer),
            LvtError = Register(page, ApicRegister.LvtError),
            LvtPerformance = Register(page, ApicRegister.LvtPerformance),
            LvtThermal = Register(page, ApicRegister.LvtThermal),
            LvtCmci = Register(page, ApicRegister.LvtCmci),
            InitialCount = Register(page, ApicRegister.InitialCount),
            DivideConfiguration = Register(page, ApicRegister.DivideConfiguration),
            TimerExpiry = left == 0 ? 0 : now + (long)nanoseconds,
        };
    }

    /// <summary>Writes the registers of a state over those of a page; what has no register there stays as it is.</summary>
    /// <param name="state">The state.</param>
    /// <param name="page">The page, with the id and the version of its owner.</param>
    /// <param name="now">The VM's time.</param>
    /// <param name="timerFrequency">The rate of the timer's clock.</param>
    public static void Write(LocalApicState state, Span<byte> page, long now, long timerFrequency)
    {
        ArgumentNullException.ThrowIfNull(state);
        Write(page, ApicRegister.TaskPriority, state.TaskPriority);
        Write(page, ApicRegister.LogicalDestination, state.LogicalDestination);
        Write(page, ApicRegister.DestinationFormat, state.DestinationFormat);
        Write(page, ApicRegister.SpuriousVector, state.SpuriousVector);
        Write(page, ApicRegister.InService, state.InService);
        Write(page, ApicRegister.TriggerMode, state.TriggerMode);
        Write(page, ApicRegister.Request, state.Requests);
        Write(page, ApicRegister.ErrorStatus, state.ErrorStatus);
        Write(page, ApicRegister.CommandLow, (uint)state.InterruptCommand);
        Write(page, ApicRegister.CommandHigh, (uint)(state.InterruptCommand >> 32));
        Write(page, ApicRegister.LvtLint0, state.LvtLint0);
        Write(page, ApicRegister.LvtLint1, state.LvtLint1);
        Write(page, ApicRegister.LvtTimer, state.LvtTimer);
        Write(page, ApicRegister.LvtError, state.LvtError);
        Write(page, ApicRegister.LvtPerformance, state.LvtPerformance);
        Write(page, ApicRegister.LvtThermal, state.LvtThermal);
        Write(page, ApicRegister.LvtCmci, state.LvtCmci);
        Write(page, ApicRegister.InitialCount, state.InitialCount);
        Write(page, ApicRegister.DivideConfiguration, state.DivideConfiguration);
        Write(page, ApicRegister.CurrentCount, CountLeft(state, now, timerFrequency));
    }

    // A timer that is due has one tick left: zero would mean that it does not run.
    private static uint CountLeft(LocalApicState state, long now, long timerFrequency)
    {
        if (state.TimerExpiry == 0)
        {
            return 0;
        }

        UInt128 clocks = (UInt128)(ulong)Math.Max(state.TimerExpiry - now, 0) * (ulong)timerFrequency / NanosecondsPerSecond;
        UInt128 ticks = clocks >> DivideShift(state.DivideConfiguration);
        return (uint)UInt128.Clamp(ticks, 1, Math.Max(state.InitialCount, 1));
    }

    // SDM volume 3, "Divide Configuration Register": bits 3, 1 and 0 are the exponent less one; all ones divide by 1.
    private static int DivideShift(uint configuration) =>
        (int)(((configuration & 3) | ((configuration >> 1) & 4)) + 1) & 7;

    private static uint Register(ReadOnlySpan<byte> page, ApicRegister register) =>
        BinaryPrimitives.ReadUInt32LittleEndian(page[((int)register * 0x10)..]);

    private static void Write(Span<byte> page, ApicRegister register, uint value) =>
        BinaryPrimitives.WriteUInt32LittleEndian(page[((int)register * 0x10)..], value);

    private static VectorBits ReadVectors(ReadOnlySpan<byte> page, ApicRegister first)
    {
        return new(Pair(page, 0), Pair(page, 2), Pair(page, 4), Pair(page, 6));

        ulong Pair(ReadOnlySpan<byte> page, int word) =>
            Register(page, first + word) | ((ulong)Register(page, first + word + 1) << 32);
    }

    private static void Write(Span<byte> page, ApicRegister first, VectorBits bits)
    {
        for (int word = 0; word < VectorWords; word++)
        {
            Write(page, first + word, (uint)(bits.Word(word >> 1) >> ((word & 1) * 32)));
        }
    }
}
