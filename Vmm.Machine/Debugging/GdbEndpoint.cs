// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Vmm.Machine.Debugging;

/// <summary>Where a debugger connects: a TCP port, of the loopback interface unless another address is given, or a Unix socket.</summary>
public sealed record GdbEndpoint
{
    private const string UnixPrefix = "unix:";

    private GdbEndpoint(EndPoint address)
    {
        Address = address;
    }

    /// <summary>The address to listen at.</summary>
    public EndPoint Address { get; }

    /// <summary>Reads <c>:PORT</c>, <c>PORT</c>, <c>ADDRESS:PORT</c> with a numeric address or <c>localhost</c>, or <c>unix:PATH</c>.</summary>
    /// <param name="text">The text. Port 0 lets the host choose one.</param>
    /// <param name="endpoint">The endpoint.</param>
    /// <returns>Whether it is one of these.</returns>
    public static bool TryParse(string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out GdbEndpoint? endpoint)
    {
        ArgumentNullException.ThrowIfNull(text);
        endpoint = null;
        if (text.StartsWith(UnixPrefix, StringComparison.Ordinal))
        {
            string path = text[UnixPrefix.Length..];
            if (path.Length is 0 or > 107)
            {
                return false;
            }

            endpoint = new GdbEndpoint(new UnixDomainSocketEndPoint(path));
            return true;
        }

        int colon = text.LastIndexOf(':');
        string host = colon <= 0 ? "localhost" : text[..colon].Trim('[', ']');
        if (!ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port))
        {
            return false;
        }

        IPAddress? address = host == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(host, out IPAddress? parsed) ? parsed : null;
        if (address is null)
        {
            return false;
        }

        endpoint = new GdbEndpoint(new IPEndPoint(address, port));
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => Address is UnixDomainSocketEndPoint ? $"{UnixPrefix}{Address}" : $"{Address}";
}
