// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Addressing;
using Vmm.Abstractions.Errors;
using Vmm.Tests.Support;

namespace Vmm.Tests.Abstractions;

/// <summary>Addresses and ranges, up to the top of the space.</summary>
public sealed class AddressingTests
{
    [TestCase(0ul, 1ul, true)]
    [TestCase(0ul, ulong.MaxValue, true)]
    [TestCase(ulong.MaxValue, 1ul, true)]
    [TestCase(ulong.MaxValue, 2ul, false)]
    [TestCase(1ul, ulong.MaxValue, true)]
    [TestCase(2ul, ulong.MaxValue, false)]
    [TestCase(5ul, 0ul, false)]
    public void Range_is_not_empty_and_does_not_wrap(ulong start, ulong length, bool valid)
    {
        GuestPhysicalRange.TryCreate(new(start), length, out GuestPhysicalRange range).Should().Be(valid);
        Action create = () => GuestPhysicalRange.Create(new(start), length);
        if (valid)
        {
            range.Length.Should().Be(length);
            range.Last.Value.Should().Be(start + length - 1);
            create.Should().NotThrow();
        }
        else
        {
            range.Should().Be(default(GuestPhysicalRange));
            create.ShouldFail(VmmError.EINVAL);
        }
    }

    [Test]
    public void Range_contains_its_first_and_last_address()
    {
        GuestPhysicalRange range = GuestPhysicalRange.Create(new(0x1000), 0x1000);

        range.Contains(new(0xfff)).Should().BeFalse();
        range.Contains(new(0x1000)).Should().BeTrue();
        range.Contains(new(0x1fff)).Should().BeTrue();
        range.Contains(new(0x2000)).Should().BeFalse();
        range.ToString().Should().Be("[0x1000..0x1fff]");
    }

    [TestCase(0x0ul, 0x1000ul, false)]
    [TestCase(0x0ul, 0x1001ul, true)]
    [TestCase(0x1ffful, 1ul, true)]
    [TestCase(0x2000ul, 0x1000ul, false)]
    [TestCase(0x1100ul, 1ul, true)]
    [TestCase(0x0ul, ulong.MaxValue, true)]
    public void Overlap_is_symmetric(ulong start, ulong length, bool overlaps)
    {
        GuestPhysicalRange range = GuestPhysicalRange.Create(new(0x1000), 0x1000);
        GuestPhysicalRange other = GuestPhysicalRange.Create(new(start), length);

        range.Overlaps(other).Should().Be(overlaps);
        other.Overlaps(range).Should().Be(overlaps);
    }

    [Test]
    public void Address_adds_without_wrapping_and_compares()
    {
        new GuestPhysicalAddress(ulong.MaxValue).TryAdd(1, out GuestPhysicalAddress sum).Should().BeFalse();
        sum.Value.Should().Be(0);
        new GuestPhysicalAddress(0x1fff).TryAdd(1, out sum).Should().BeTrue();
        sum.IsPageAligned.Should().BeTrue();
        new GuestPhysicalAddress(0x1fff).PageBase.Should().Be(new GuestPhysicalAddress(0x1000));
        (new GuestPhysicalAddress(1) < new GuestPhysicalAddress(2)).Should().BeTrue();
        (new GuestPhysicalAddress(2) <= new GuestPhysicalAddress(2)).Should().BeTrue();
        (new GuestPhysicalAddress(2) > new GuestPhysicalAddress(2)).Should().BeFalse();
        (new GuestPhysicalAddress(2) >= new GuestPhysicalAddress(3)).Should().BeFalse();
    }

    [TestCase(0ul, true)]
    [TestCase(0x00007ffffffffffful, true)]
    [TestCase(0x0000800000000000ul, false)]
    [TestCase(0xffff7ffffffffffful, false)]
    [TestCase(0xffff800000000000ul, true)]
    [TestCase(ulong.MaxValue, true)]
    public void Canonical_addresses_have_equal_upper_bits(ulong address, bool canonical) =>
        new GuestLinearAddress(address).IsCanonical.Should().Be(canonical);
}
