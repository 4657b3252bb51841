// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;

namespace Vmm.Machine.Boot;

/// <summary>Reads images into memory without trusting what a stream says about its length.</summary>
public static class BootFile
{
    /// <summary>Reads a stream to its end.</summary>
    /// <param name="stream">A readable stream; a pipe will do.</param>
    /// <param name="kind">What it holds, for messages.</param>
    /// <param name="maximumSize">The most bytes accepted, not negative: what the machine has room for.</param>
    /// <exception cref="BootImageException">The stream is longer than that.</exception>
    /// <exception cref="IOException">The stream cannot be read.</exception>
    public static ReadOnlyMemory<byte> Read(Stream stream, BootImageKind kind, long maximumSize)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfNegative(maximumSize);
        const int chunk = 1 << 20;
        long limit = Math.Min(maximumSize, Array.MaxLength - 1);
        byte[] bytes = new byte[stream.CanSeek ? Math.Clamp(stream.Length - stream.Position + 1, 1, limit + 1) : Math.Min(chunk, limit + 1)];
        int count = 0;
        while (true)
        {
            int read = stream.Read(bytes, count, bytes.Length - count);
            count += read;
            if (count > limit)
            {
                throw new BootImageException(
                    kind, limit, "file size",
                    string.Create(CultureInfo.InvariantCulture, $"the file is longer than {limit} bytes, all that this machine has room for"),
                    "Give the machine more memory, or use a smaller image");
            }

            if (read == 0)
            {
                return bytes.AsMemory(0, count);
            }

            if (count == bytes.Length)
            {
                Array.Resize(ref bytes, (int)Math.Min(bytes.Length * 2L, limit + 1));
            }
        }
    }
}
