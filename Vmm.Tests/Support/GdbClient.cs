// SPDX-License-Identifier: BSD-2-Clause

using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Vmm.Tests.Support;

/// <summary>The debugger's side of the remote protocol, one packet at a time.</summary>
internal sealed class GdbClient : IDisposable
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private readonly Socket _socket;

    public GdbClient(EndPoint endpoint)
    {
        _socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        _socket.ReceiveTimeout = (int)s_limit.TotalMilliseconds;
        _socket.Connect(endpoint);
    }

    /// <summary>Sends a packet and gives the reply, acknowledgements left out.</summary>
    public string Request(string content)
    {
        Send(content);
        return Receive();
    }

    public void Send(string content) => SendRaw($"${content}#{(byte)content.Sum(c => c):x2}");

    public void SendRaw(string bytes) => _socket.Send(Encoding.Latin1.GetBytes(bytes));

    public string Receive()
    {
        StringBuilder content = new();
        char next;
        do
        {
            next = Read();
        }
        while (next != '$');

        while ((next = Read()) != '#')
        {
            content.Append(next == '}' ? (char)(Read() ^ 0x20) : next);
        }

        Read();
        Read();
        return content.ToString();
    }

    public char Read()
    {
        byte[] one = new byte[1];
        return _socket.Receive(one) == 1 ? (char)one[0] : throw new EndOfStreamException("the server closed the connection");
    }

    public void Dispose() => _socket.Dispose();
}
