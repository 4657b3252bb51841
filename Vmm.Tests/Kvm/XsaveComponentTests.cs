// SPDX-License-Identifier: BSD-2-Clause

using System.Buffers.Binary;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using Vmm.Abstractions.Registers;
using Vmm.Abstractions.Vcpu;
using Vmm.Kvm;
using Vmm.Tests.Support;
using static Iced.Intel.AssemblerRegisters;

namespace Vmm.Tests.Kvm;

/// <summary>The XSAVE family at CPL 0 on every component that the hypervisor offers, each with a pattern (volume 1, chapter 13).</summary>
[Category("Kvm")]
public sealed class XsaveComponentTests
{
    private const ulong First = LongModeMachine.Data;
    private const ulong Nothing = First + 0x4000;
    private const ulong Cleared = First + 0x8000;
    private const ulong Second = First + 0xC000;
    private const int AreaLength = 0x4000;
    private const int LegacyLength = 512;
    private const int Mxcsr = 24;
    private const int St0 = 32;
    private const int Xmm0 = 160;
    private const int Extended = 576;
    private const ulong Compacted = 1UL << 63;
    private const int ProtectionKeys = 9;

    /// <summary>MPX, of whose components processors leave reserved bytes alone.</summary>
    private const ulong Bounds = 0x18;

    private static readonly Form[] s_forms =
    [
        new("XSAVE", 0, false, static (a, m) => a.xsave64(m), static (a, m) => a.xrstor64(m)),
        new("XSAVEOPT", 1, false, static (a, m) => a.xsaveopt64(m), static (a, m) => a.xrstor64(m)),
        new("XSAVEC", 2, true, static (a, m) => a.xsavec64(m), static (a, m) => a.xrstor64(m)),
        new("XSAVES", 8, true, static (a, m) => a.xsaves64(m), static (a, m) => a.xrstors64(m)),
    ];

    private KvmBackend? _backend;

    [SetUp]
    public void Create() => _backend = KvmRequirement.OpenBackend();

    [TearDown]
    public void Destroy() => _backend?.Dispose();

    [TestCaseSource(nameof(s_forms))]
    public void Each_component_keeps_its_pattern_through_save_and_restore(Form form)
    {
        uint offered = _backend!.Description.InterpretsKernelMode ? (uint)X86Base.CpuId(0xD, 1).Eax : Supported(1).Eax;
        if ((offered & form.Feature) != form.Feature)
        {
            Assert.Ignore($"Guests of this host have no {form.Name}.");
        }

        using LongModeMachine guest = new(_backend);
        ulong components = (Supported(0).Eax | (ulong)Supported(0).Edx << 32) & ~Bounds;
        guest.Cpu.SetRegister(RegisterName.Xcr0, components);
        guest.Cpu.SetFpu(Pattern(components));
        guest.Write64(Nothing + Mxcsr, 0x1F80);
        if (form.IsCompact)
        {
            guest.Write64(Nothing + LegacyLength + 8, components | Compacted);
        }

        guest.Assemble(a =>
        {
            a.mov(eax, -1);
            a.mov(edx, -1);
            form.Save(a, __[First]);
            form.Restore(a, __[Nothing]);
            form.Save(a, __[Cleared]);
            form.Restore(a, __[First]);
            form.Save(a, __[Second]);
        });

        guest.RunToEnd();

        byte[] image = Pattern(components);
        byte[] first = guest.Read(First, AreaLength);
        byte[] second = guest.Read(Second, AreaLength);
        BinaryPrimitives.ReadUInt64LittleEndian(first.AsSpan(LegacyLength)).Should().Be(components, "XSTATE_BV");
        BinaryPrimitives.ReadUInt64LittleEndian(guest.Read(Cleared + LegacyLength, 8)).Should().BeLessThanOrEqualTo(1, "only x87 may count as used always");
        foreach (Component component in Components(components, form.IsCompact))
        {
            byte[] expected = image[component.Standard..(component.Standard + component.Length)];
            expected.Should().Contain(static b => b != 0);
            first[component.Place..(component.Place + component.Length)].Should().Equal(expected, "component {0} is saved", component.Number);
            second[component.Place..(component.Place + component.Length)].Should().Equal(expected, "component {0} is restored", component.Number);
        }

        second[Mxcsr..(Mxcsr + 4)].Should().Equal(image[Mxcsr..(Mxcsr + 4)]);
    }

    [Test]
    public void A_host_that_interprets_kernel_mode_offers_no_supervisor_component()
    {
        const uint Xss = 0xDA0;
        const uint ShadowStacks = 0x1800;
        if (!_backend!.Description.InterpretsKernelMode)
        {
            Assert.Ignore("This host executes XSAVES by itself, whatever IA32_XSS has.");
        }

        using LongModeMachine guest = new(_backend);
        guest.Assemble(a =>
        {
            a.mov(ecx, Xss);
            a.mov(eax, ShadowStacks);
            a.xor(edx, edx);
            a.wrmsr();
        });

        ExitCode end = guest.Cpu.Run(VmEntry.Default).Code;

        (Supported(1).Ecx | Supported(1).Edx).Should().Be(0, "these are the bits of IA32_XSS that KVM permits");
        end.Should().Be(ExitCode.Wrmsr, "KVM refuses the write");
    }

    /// <summary>A standard-format area with something in each byte that a component has.</summary>
    private static byte[] Pattern(ulong components)
    {
        byte[] image = new byte[AreaLength];
        BinaryPrimitives.WriteUInt16LittleEndian(image, 0x37F);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(Mxcsr), 0x1FA0);
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan(LegacyLength), components);
        foreach (Component component in Components(components, compact: false))
        {
            for (int n = 0; n < component.Length; n++)
            {
                image[component.Standard + n] = (byte)(component.Number * 31 + n * 7 + 1 | 1);
            }
        }

        return image;
    }

    /// <summary>Where the components are, x87 as eight registers of ten bytes.</summary>
    private static IEnumerable<Component> Components(ulong components, bool compact)
    {
        for (int register = 0; register < 8; register++)
        {
            yield return new(0, St0 + register * 16, St0 + register * 16, 10);
        }

        yield return new(1, Xmm0, Xmm0, 256);
        int at = Extended;
        for (int number = 2; number < 63; number++)
        {
            if ((components >> number & 1) == 0)
            {
                continue;
            }

            (int size, int offset, int flags, _) = X86Base.CpuId(0xD, number);
            int place = compact ? (flags & 2) != 0 ? at + 63 & ~63 : at : offset;
            at = place + size;
            yield return new(number, offset, place, number == ProtectionKeys ? 4 : size);
        }
    }

    private Vmm.Abstractions.Cpuid.CpuidEntry Supported(uint index) =>
        _backend!.GetSupportedCpuid().FirstOrDefault(e => e.Function == 0xD && e.Index == index);

    /// <summary>A pair of instructions.</summary>
    public sealed record Form(string Name, uint Feature, bool IsCompact, Action<Assembler, AssemblerMemoryOperand> Save, Action<Assembler, AssemblerMemoryOperand> Restore)
    {
        public override string ToString() => Name;
    }

    private readonly record struct Component(int Number, int Standard, int Place, int Length);
}
