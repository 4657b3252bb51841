// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;

namespace Vmm.Machine.Debugging;

/// <summary>
/// Packets over a byte stream (GDB manual, "Overview" of the remote protocol): <c>$</c>, the escaped content, <c>#</c> and two digits of
/// checksum, each acknowledged until both sides agree not to. One thread reads; writing is safe from any thread.
/// </summary>
internal sealed class GdbChannel(Stream stream)
{
    /// <summary>The longest content that is accepted or sent.</summary>
    public const int LongestPacket = 0x4000;

    private const byte InterruptByte = 0x03;
    private const byte EscapeFlip = 0x20;

    private readonly byte[] _input = new byte[4096];
    private readonly Lock _writing = new();
    private byte[] _last = [];
    private int _inputAt;
    private int _inputLength;

    /// <summary>Whether packets are acknowledged.</summary>
    public bool Acknowledges { get; set; } = true;

    /// <summary>Waits for the next packet or interrupt.</summary>
    /// <param name="packet">The unescaped content; null for an interrupt.</param>
    /// <returns><see langword="false"/> when the other side is gone.</returns>
    public bool TryReceive(out byte[]? packet)
    {
        packet = null;
        while (TryReadByte(out byte first))
        {
            switch (first)
            {
                case InterruptByte:
                    return true;
                case (byte)'-':
                    Resend();
                    break;
                case (byte)'$':
                    switch (ReadPacket(out packet))
                    {
                        case Outcome.Good:
                            Acknowledge((byte)'+');
                            return true;
                        case Outcome.Damaged:
                            Acknowledge((byte)'-');
                            break;
                        default:
                            return false;
                    }

                    break;
                default:
                    // Acknowledgements need no action; anything else between packets is noise.
                    break;
            }
        }

        return false;
    }

    /// <summary>Sends a packet; whether it arrives shows at the next receive.</summary>
    public void Send(ReadOnlySpan<byte> content)
    {
        List<byte> bytes = new(content.Length + 4) { (byte)'$' };
        byte sum = 0;
        foreach (byte value in content)
        {
            if (value is (byte)'#' or (byte)'$' or (byte)'}' or (byte)'*')
            {
                Add((byte)'}');
                Add((byte)(value ^ EscapeFlip));
            }
            else
            {
                Add(value);
            }
        }

        bytes.Add((byte)'#');
        string digits = sum.ToString("x2", CultureInfo.InvariantCulture);
        bytes.Add((byte)digits[0]);
        bytes.Add((byte)digits[1]);
        lock (_writing)
        {
            _last = [.. bytes];
            Write(_last);
        }

        void Add(byte value)
        {
            bytes.Add(value);
            sum += value;
        }
    }

    private Outcome ReadPacket(out byte[]? packet)
    {
        packet = null;
        List<byte> content = [];
        byte sum = 0;
        bool isTooLong = false;
        bool isEscaped = false;
        while (true)
        {
            if (!TryReadByte(out byte value))
            {
                return Outcome.Closed;
            }

            if (value == '#')
            {
                break;
            }

            if (value == '$')
            {
                // A new packet begins: the one before was cut off.
                content.Clear();
                (sum, isTooLong, isEscaped) = (0, false, false);
                continue;
            }

            sum += value;
            if (value == '}' && !isEscaped)
            {
                isEscaped = true;
                continue;
            }

            isTooLong |= content.Count >= LongestPacket;
            if (!isTooLong)
            {
                content.Add(isEscaped ? (byte)(value ^ EscapeFlip) : value);
            }

            isEscaped = false;
        }

        if (!TryReadByte(out byte high) || !TryReadByte(out byte low))
        {
            return Outcome.Closed;
        }

        bool isSound = !isTooLong
            && byte.TryParse([(char)high, (char)low], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte said)
            && (said == sum || !Acknowledges);
        packet = isSound ? [.. content] : null;
        return isSound ? Outcome.Good : Outcome.Damaged;
    }

    private bool TryReadByte(out byte value)
    {
        value = 0;
        if (_inputAt == _inputLength)
        {
            try
            {
                _inputAt = 0;
                _inputLength = stream.Read(_input);
            }
            catch (Exception error) when (error is IOException or ObjectDisposedException)
            {
                _inputLength = 0;
            }

            if (_inputLength <= 0)
            {
                _inputLength = 0;
                return false;
            }
        }

        value = _input[_inputAt++];
        return true;
    }

    private void Acknowledge(byte sign)
    {
        if (Acknowledges)
        {
            lock (_writing)
            {
                Write([sign]);
            }
        }
    }

    private void Resend()
    {
        lock (_writing)
        {
            Write(_last);
        }
    }

    private void Write(ReadOnlySpan<byte> bytes)
    {
        try
        {
            stream.Write(bytes);
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            // The next receive finds the connection closed.
            stream.Close();
        }
    }

    private enum Outcome
    {
        Closed = 0,
        Damaged,
        Good,
    }
}
