// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Text;

namespace Vmm.Machine.Boot;

/// <summary>
/// Writes a cpio archive in the format that Linux unpacks as its initial RAM disk: "newc" (Linux,
/// Documentation/driver-api/early-userspace/buffer-format.rst). The same entries give the same bytes.
/// </summary>
/// <param name="output">Receives the archive; stays open.</param>
internal sealed class CpioWriter(Stream output)
{
    private const string Magic = "070701";
    private const string Trailer = "TRAILER!!!";
    private const int Alignment = 4;

    private long _written;
    private uint _number;

    /// <summary>Writes an entry.</summary>
    /// <param name="name">Its path without a leading slash.</param>
    /// <param name="mode">Type and permissions, as <c>stat</c> has them.</param>
    /// <param name="data">The content of a file, or the target of a link.</param>
    /// <param name="device">The numbers of a device node.</param>
    public void Write(string name, uint mode, ReadOnlySpan<byte> data, (uint Major, uint Minor) device = default)
    {
        byte[] text = Encoding.UTF8.GetBytes(name + '\0');
        _number++;
        Span<uint> fields =
        [
            _number, mode, 0, 0, 1, 0, (uint)data.Length, 0, 0, device.Major, device.Minor, (uint)text.Length, 0,
        ];
        StringBuilder header = new(Magic);
        foreach (uint field in fields)
        {
            header.Append(field.ToString("X8", CultureInfo.InvariantCulture));
        }

        Put(Encoding.ASCII.GetBytes(header.ToString()));
        Put(text);
        Align();
        Put(data);
        Align();
    }

    /// <summary>Ends the archive.</summary>
    public void End()
    {
        _number = 0;
        Write(Trailer, 0, []);
    }

    private void Put(ReadOnlySpan<byte> data)
    {
        output.Write(data);
        _written += data.Length;
    }

    private void Align()
    {
        while (_written % Alignment != 0)
        {
            output.WriteByte(0);
            _written++;
        }
    }
}
