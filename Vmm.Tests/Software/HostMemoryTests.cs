// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using Vmm.Abstractions.Memory;
using Vmm.Software;

namespace Vmm.Tests.Software;

/// <summary>Where guest memory lies in the process.</summary>
internal sealed class HostMemoryTests
{
    private const ulong Length = 0x30000;

    [TestCase(false)]
    [TestCase(true)]
    public unsafe void Nothing_can_be_accessed_beside_a_guests_memory(bool fileBacked)
    {
        using SoftwareBackend backend = new();
        using GuestMemoryBlock block = backend.AllocateMemory(Length, new GuestMemoryOptions { FileBacked = fileBacked, Name = "guarded" });
        ulong start;
        fixed (byte* first = block.GetSpan(0, 1))
        {
            start = (ulong)first;
        }

        Rights(start - 1).Should().Be("---p");
        Rights(start)[..2].Should().Be("rw");
        Rights(start + Length - 1)[..2].Should().Be("rw");
        Rights(start + Length).Should().Be("---p");
    }

    private static string Rights(ulong address)
    {
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            string[] words = line.Split(' ');
            string[] range = words[0].Split('-');
            if (address >= Parse(range[0]) && address < Parse(range[1]))
            {
                return words[1];
            }
        }

        return "";
    }

    private static ulong Parse(string text) => ulong.Parse(text, NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
