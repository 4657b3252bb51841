// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Boot;

/// <summary>CRC-32 of IEEE 802.3, reflected polynomial 0xEDB88320: the checksum of XZ headers and blocks.</summary>
internal static class Crc32
{
    private static readonly uint[] s_table = CreateTable();

    /// <summary>The checksum of bytes.</summary>
    internal static uint Compute(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc = s_table[(byte)(crc ^ value)] ^ (crc >> 8);
        }

        return ~crc;
    }

    private static uint[] CreateTable()
    {
        uint[] table = new uint[256];
        for (uint index = 0; index < table.Length; index++)
        {
            uint value = index;
            for (int bit = 0; bit < 8; bit++)
            {
                value = (value >> 1) ^ ((value & 1) * 0xedb88320u);
            }

            table[index] = value;
        }

        return table;
    }
}
