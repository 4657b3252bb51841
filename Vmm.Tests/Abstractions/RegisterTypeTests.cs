// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Events;
using Vmm.Abstractions.Registers;
using Vmm.Tests.Proofs;

namespace Vmm.Tests.Abstractions;

/// <summary>Encodings, access rights, XCR0, paging modes and the event field.</summary>
public sealed class RegisterTypeTests
{
    [Test]
    public void General_registers_have_the_encodings_of_ModRM()
    {
        RegisterName[] order =
        [
            RegisterName.Rax, RegisterName.Rcx, RegisterName.Rdx, RegisterName.Rbx, RegisterName.Rsp, RegisterName.Rbp,
            RegisterName.Rsi, RegisterName.Rdi, RegisterName.R8, RegisterName.R9, RegisterName.R10, RegisterName.R11,
            RegisterName.R12, RegisterName.R13, RegisterName.R14, RegisterName.R15,
        ];

        Enumerable.Range(0, 16).Select(GeneralRegisterEncoding.ToRegisterName).Should().Equal(order);
        Action below = () => GeneralRegisterEncoding.ToRegisterName(-1);
        Action above = () => GeneralRegisterEncoding.ToRegisterName(16);
        below.Should().Throw<ArgumentOutOfRangeException>();
        above.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    [Proves("vm_segment_name")]
    public void Segment_registers_have_the_encodings_of_ModRM()
    {
        Enumerable.Range(0, 6).Select(SegmentEncoding.ToRegisterName).Should().Equal(
            RegisterName.Es, RegisterName.Cs, RegisterName.Ss, RegisterName.Ds, RegisterName.Fs, RegisterName.Gs);
        Action below = () => SegmentEncoding.ToRegisterName(-1);
        Action above = () => SegmentEncoding.ToRegisterName(6);
        below.Should().Throw<ArgumentOutOfRangeException>();
        above.Should().Throw<ArgumentOutOfRangeException>();
    }

    [Test]
    public void Access_rights_are_their_bits()
    {
        SegmentAccess code = new(0xa0fb);
        (code.Type, code.IsCodeOrData, code.IsCode, code.Dpl, code.IsPresent).Should().Be(((byte)0x1b, true, true, 3, true));
        (code.IsLong, code.IsDefault32, code.IsPageGranular, code.IsUnusable, code.Available)
            .Should().Be((true, false, true, false, false));
        SegmentAccess unusable = new(0x15000);
        (unusable.IsUnusable, unusable.Available, unusable.IsDefault32, unusable.IsPresent).Should().Be((true, true, true, false));
        new SegmentAccess(0x82).IsCodeOrData.Should().BeFalse();
        new SegmentAccess(0x93).IsCode.Should().BeFalse();
    }

    [TestCase(1ul, 7ul, true)]
    [TestCase(3ul, 7ul, true, TestName = "x87_and_SSE_without_AVX_is_valid")]
    [TestCase(7ul, 7ul, true)]
    [TestCase(5ul, 7ul, false, TestName = "AVX_without_SSE_is_not_valid")]
    [TestCase(0ul, 7ul, false)]
    [TestCase(6ul, 7ul, false)]
    [TestCase(7ul, 3ul, false)]
    [TestCase(0x8000000000000001ul, 7ul, false)]
    [Proves("validate_guest_xcr0")]
    public void Xcr0(ulong value, ulong limit, bool valid) =>
        Vmm.Abstractions.Registers.Xcr0.IsValidForGuest(value, limit).Should().Be(valid);

    [TestCase(0ul, 0ul, 0ul, 0u, CpuMode.Real, PagingMode.Flat)]
    [TestCase(1ul, 0ul, 0ul, 0u, CpuMode.Protected, PagingMode.Flat)]
    [TestCase(0x80000001ul, 0ul, 0ul, 0u, CpuMode.Protected, PagingMode.Legacy32)]
    [TestCase(0x80000001ul, 0x20ul, 0ul, 0u, CpuMode.Protected, PagingMode.Pae)]
    [TestCase(0x80000001ul, 0x20ul, 0x500ul, 0u, CpuMode.Compatibility, PagingMode.Long64)]
    [TestCase(0x80000001ul, 0x20ul, 0x500ul, 0x2000u, CpuMode.Long64, PagingMode.Long64)]
    public void Paging_follows_the_control_registers(
        ulong cr0, ulong cr4, ulong efer, uint access, CpuMode mode, PagingMode paging) =>
        GuestPaging.From(cr0, 0x5000, cr4, efer, new SegmentAccess(access), 3)
            .Should().Be(new GuestPaging(0x5000, 3, mode, paging));

    [Test]
    public void Event_field_has_the_layout_of_EXITINTINFO()
    {
        EventInformation fault = EventInformation.Create(EventType.HardwareException, 14, 6);

        fault.Value.Should().Be(0x0000000680000b0e);
        (fault.IsValid, fault.Vector, fault.Type, fault.HasErrorCode, fault.ErrorCode, fault.HasReservedBits)
            .Should().Be((true, (byte)14, EventType.HardwareException, true, 6u, false));
        EventInformation.Create(EventType.Nmi, 2).Value.Should().Be(0x80000202);
        EventInformation.Create(EventType.HardwareException, 13, 0).Value.Should().Be(0x80000b0d);
        new EventInformation(0x7ffff000).HasReservedBits.Should().BeTrue();
        new EventInformation(0x7ffff000).IsValid.Should().BeFalse();
        EventInformation.None.ToString().Should().Be("none");
        fault.ToString().Should().Be("HardwareException 14 error 0x6");
    }

    [Test]
    [Proves("vm_inject_ud", "vm_inject_gp", "vm_inject_ac", "vm_inject_ss", "vm_inject_pf")]
    public void Named_exceptions_are_faults_with_their_error_codes()
    {
        GuestException.InvalidOpcode().Should().Be(new GuestException(ExceptionVector.InvalidOpcode, null, true));
        GuestException.GeneralProtection().Should().Be(new GuestException(ExceptionVector.GeneralProtection, 0, true));
        GuestException.AlignmentCheck(1).Should().Be(new GuestException(ExceptionVector.AlignmentCheck, 1, true));
        GuestException.StackFault(2).Should().Be(new GuestException(ExceptionVector.StackFault, 2, true));
        GuestException.PageFault(3, new(4)).Should().Be(new GuestException(ExceptionVector.PageFault, 3, true, new(4)));
    }
}
