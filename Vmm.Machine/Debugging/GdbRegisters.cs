// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Machine.Debugging;

/// <summary>
/// The registers that a debugger sees, in the order of their numbers, and the target description that says so: the ones that GDB knows
/// of x86-64, and the system registers in a feature of our own (GDB manual, "i386 Features").
/// </summary>
internal static class GdbRegisters
{
    private const string Core = "org.gnu.gdb.i386.core";
    private const string Sse = "org.gnu.gdb.i386.sse";
    private const string Segments = "org.gnu.gdb.i386.segments";
    private const string SystemFeature = "vmm.system";
    private const int LongestImage = 16384;
    private const uint KernelGsBase = 0xc0000102;

    private static readonly RegisterName[] s_general =
    [
        RegisterName.Rax, RegisterName.Rbx, RegisterName.Rcx, RegisterName.Rdx, RegisterName.Rsi, RegisterName.Rdi, RegisterName.Rbp,
        RegisterName.Rsp, RegisterName.R8, RegisterName.R9, RegisterName.R10, RegisterName.R11, RegisterName.R12, RegisterName.R13,
        RegisterName.R14, RegisterName.R15,
    ];

    private static readonly RegisterName[] s_selectors =
        [RegisterName.Cs, RegisterName.Ss, RegisterName.Ds, RegisterName.Es, RegisterName.Fs, RegisterName.Gs];

    private static readonly (string Name, FpuField Field)[] s_control =
    [
        ("fctrl", FpuField.Control), ("fstat", FpuField.Status), ("ftag", FpuField.Tags), ("fiseg", FpuField.InstructionSegment),
        ("fioff", FpuField.InstructionOffset), ("foseg", FpuField.OperandSegment), ("fooff", FpuField.OperandOffset), ("fop", FpuField.Opcode),
    ];

    private static readonly RegisterName[] s_system =
    [
        RegisterName.Cr0, RegisterName.Cr2, RegisterName.Cr3, RegisterName.Cr4, RegisterName.Efer, RegisterName.Xcr0, RegisterName.Dr0,
        RegisterName.Dr1, RegisterName.Dr2, RegisterName.Dr3, RegisterName.Dr6, RegisterName.Dr7, RegisterName.Ldtr, RegisterName.Tr,
    ];

    private static readonly RegisterName[] s_described =
    [
        RegisterName.Cs, RegisterName.Ss, RegisterName.Ds, RegisterName.Es, RegisterName.Ldtr, RegisterName.Tr, RegisterName.Gdtr,
        RegisterName.Idtr,
    ];

    private static readonly GdbRegister[] s_all = [.. Build()];
    private static readonly int[] s_offsets = Offsets();

    /// <summary>How many registers there are.</summary>
    public static int Count => s_all.Length;

    /// <summary>The bytes of all registers together.</summary>
    public static int TotalLength { get; } = s_all.Sum(register => register.Length);

    /// <summary>The target description.</summary>
    public static byte[] Description { get; } = Encoding.ASCII.GetBytes(Describe());

    /// <summary>A register's name.</summary>
    public static string NameOf(int number) => s_all[number].Name;

    /// <summary>Where a register's bytes are among those of all.</summary>
    public static Range Slice(int number) => s_offsets[number]..(s_offsets[number] + s_all[number].Length);

    /// <summary>Reads all registers of a vCPU that stands.</summary>
    public static byte[] Read(IVirtualCpu cpu)
    {
        byte[] all = new byte[TotalLength];
        FpuImage fpu = FpuImage.Read(cpu, LongestImage);
        for (int number = 0; number < s_all.Length; number++)
        {
            s_all[number].Read(cpu, fpu, all.AsSpan(Slice(number)));
        }

        return all;
    }

    /// <summary>Writes all registers, where they differ from what they are.</summary>
    public static void Write(IVirtualCpu cpu, ReadOnlySpan<byte> all)
    {
        byte[] present = Read(cpu);
        for (int number = 0; number < s_all.Length; number++)
        {
            Range slice = Slice(number);
            if (!all[slice].SequenceEqual(present.AsSpan(slice)))
            {
                Write(cpu, number, all[slice]);
            }
        }
    }

    /// <summary>Writes one register.</summary>
    public static void Write(IVirtualCpu cpu, int number, ReadOnlySpan<byte> value) => s_all[number].Write(cpu, value, LongestImage);

    private static int[] Offsets()
    {
        int[] offsets = new int[s_all.Length];
        for (int number = 1; number < offsets.Length; number++)
        {
            offsets[number] = offsets[number - 1] + s_all[number - 1].Length;
        }

        return offsets;
    }

    private static IEnumerable<GdbRegister> Build()
    {
        foreach (RegisterName name in s_general)
        {
            yield return GdbRegister.Of(Core, Lower(name), 64, name is RegisterName.Rsp or RegisterName.Rbp ? "data_ptr" : "int64", name);
        }

        yield return GdbRegister.Of(Core, "rip", 64, "code_ptr", RegisterName.Rip);
        yield return GdbRegister.Of(Core, "eflags", 32, "i386_eflags", RegisterName.Rflags);
        foreach (RegisterName name in s_selectors)
        {
            yield return GdbRegister.Of(Core, Lower(name), 32, "int32", name);
        }

        for (int i = 0; i < 8; i++)
        {
            yield return GdbRegister.OfFpu(Core, $"st{i}", 80, "i387_ext", FpuField.Stack, i);
        }

        foreach ((string name, FpuField field) in s_control)
        {
            yield return GdbRegister.OfFpu(Core, name, 32, "int", field, 0, "float");
        }

        for (int i = 0; i < 16; i++)
        {
            yield return GdbRegister.OfFpu(Sse, $"xmm{i}", 128, "vec128", FpuField.Vector, i);
        }

        yield return GdbRegister.OfFpu(Sse, "mxcsr", 32, "int", FpuField.VectorControl, 0, "vector");
        yield return GdbRegister.OfBase(Segments, "fs_base", RegisterName.Fs);
        yield return GdbRegister.OfBase(Segments, "gs_base", RegisterName.Gs);
        foreach (RegisterName name in s_system)
        {
            yield return GdbRegister.Of(SystemFeature, Lower(name), 64, "int64", name, "system");
        }

        yield return new GdbRegister(
            SystemFeature,
            "k_gs_base",
            64,
            "int64",
            "system",
            (cpu, _, bytes) => BinaryPrimitives.WriteUInt64LittleEndian(
                bytes, cpu.TryGetMsr(new MsrIndex(KernelGsBase), out ulong value) ? value : 0),
            (cpu, _, bytes) => cpu.TrySetMsr(new MsrIndex(KernelGsBase), BinaryPrimitives.ReadUInt64LittleEndian(bytes)));
        foreach (RegisterName name in s_described)
        {
            yield return GdbRegister.OfBase(SystemFeature, $"{Lower(name)}_base", name, "system");
            yield return GdbRegister.OfLimit(SystemFeature, $"{Lower(name)}_limit", name);
        }
    }

    private static string Lower(RegisterName name) => name.ToString().ToLowerInvariant();

    private static string Describe()
    {
        StringBuilder xml = new();
        xml.Append("<?xml version=\"1.0\"?><!DOCTYPE target SYSTEM \"gdb-target.dtd\"><target version=\"1.0\">");
        xml.Append("<architecture>i386:x86-64</architecture>");
        int number = 0;
        foreach (IGrouping<string, GdbRegister> feature in s_all.GroupBy(register => register.Feature))
        {
            xml.Append(CultureInfo.InvariantCulture, $"<feature name=\"{feature.Key}\">");
            xml.Append(feature.Key switch
            {
                Core => FlagTypes,
                Sse => VectorTypes,
                _ => "",
            });
            foreach (GdbRegister register in feature)
            {
                xml.Append(
                    CultureInfo.InvariantCulture,
                    $"<reg name=\"{register.Name}\" bitsize=\"{register.Bits}\" type=\"{register.Type}\" regnum=\"{number++}\"");
                xml.Append(register.Group is { } group ? $" group=\"{group}\"/>" : "/>");
            }

            xml.Append("</feature>");
        }

        return xml.Append("</target>").ToString();
    }

    private const string FlagTypes =
        "<flags id=\"i386_eflags\" size=\"4\">"
        + "<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/><field name=\"PF\" start=\"2\" end=\"2\"/>"
        + "<field name=\"AF\" start=\"4\" end=\"4\"/><field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
        + "<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/><field name=\"DF\" start=\"10\" end=\"10\"/>"
        + "<field name=\"OF\" start=\"11\" end=\"11\"/><field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
        + "<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/><field name=\"VIF\" start=\"19\" end=\"19\"/>"
        + "<field name=\"VIP\" start=\"20\" end=\"20\"/><field name=\"ID\" start=\"21\" end=\"21\"/></flags>";

    private const string VectorTypes =
        "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/><vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
        + "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/><vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
        + "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/><vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
        + "<union id=\"vec128\"><field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
        + "<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/><field name=\"v4_int32\" type=\"v4i32\"/>"
        + "<field name=\"v2_int64\" type=\"v2i64\"/><field name=\"uint128\" type=\"uint128\"/></union>";
}
