// SPDX-License-Identifier: BSD-2-Clause

using System.Net;
using System.Net.Sockets;
using Serilog;
using Serilog.Core;
using Vmm.Abstractions.Errors;

namespace Vmm.Machine.Debugging;

/// <summary>
/// Serves GDB's remote protocol for one machine: listens, and takes one debugger at a time. A debugger that connects finds the machine
/// stopped; one that detaches or is lost leaves it running without breakpoints; one that kills ends it.
/// </summary>
public sealed class GdbServer : IDisposable
{
    private readonly MachineDebugger _debugger;
    private readonly Socket _listener;
    private readonly Thread _thread;
    private readonly ILogger _log;
    private readonly string? _path;
    private Socket? _connection;
    private int _disposed;

    private GdbServer(MachineDebugger debugger, Socket listener, ILogger log, string? path)
    {
        _debugger = debugger;
        _listener = listener;
        _log = log.ForContext<GdbServer>();
        _path = path;
        _thread = new Thread(Serve) { IsBackground = true, Name = "gdb-server" };
    }

    /// <summary>Where it listens, with the port that the host chose.</summary>
    public EndPoint LocalEndPoint => _listener.LocalEndPoint!;

    /// <summary>Starts listening.</summary>
    /// <param name="debugger">The machine's side.</param>
    /// <param name="endpoint">Where to listen.</param>
    /// <param name="logger">Receives messages; silent when null.</param>
    /// <returns>The server; dispose it after the machine has ended, and before the machine is disposed.</returns>
    /// <exception cref="VmmException">EADDRINUSE or what else the host has against the address.</exception>
    public static GdbServer Start(MachineDebugger debugger, GdbEndpoint endpoint, ILogger? logger = null)
    {
        ArgumentNullException.ThrowIfNull(debugger);
        ArgumentNullException.ThrowIfNull(endpoint);
        Socket listener = new(endpoint.Address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            listener.Bind(endpoint.Address);
            listener.Listen(backlog: 1);
        }
        catch (SocketException refusal)
        {
            listener.Dispose();
            throw new VmmException(
                "gdb",
                refusal.SocketErrorCode == SocketError.AccessDenied ? VmmError.EACCES : VmmError.EADDRINUSE,
                $"cannot listen at {endpoint}: {refusal.Message}",
                refusal);
        }

        GdbServer server = new(debugger, listener, logger ?? Logger.None, (endpoint.Address as UnixDomainSocketEndPoint)?.ToString());
        server._thread.Start();
        return server;
    }

    /// <summary>Ends the connection and stops listening. The machine goes on if it has not ended.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        _listener.Dispose();
        if (Volatile.Read(ref _connection) is { } connection)
        {
            ShutDown(connection);
        }

        _thread.Join();
        if (_path is not null)
        {
            File.Delete(_path);
        }
    }

    private static void ShutDown(Socket connection)
    {
        try
        {
            connection.Shutdown(SocketShutdown.Both);
        }
        catch (Exception gone) when (gone is SocketException or ObjectDisposedException)
        {
            // The other side was faster.
            return;
        }
    }

    private void Serve()
    {
        while (Volatile.Read(ref _disposed) == 0)
        {
            Socket connection;
            try
            {
                connection = _listener.Accept();
            }
            catch (Exception end) when (end is SocketException or ObjectDisposedException)
            {
                return;
            }

            using (connection)
            {
                Volatile.Write(ref _connection, connection);
                if (Volatile.Read(ref _disposed) == 0)
                {
                    Serve(connection);
                }

                Volatile.Write(ref _connection, null);
            }
        }
    }

    private void Serve(Socket connection)
    {
        if (connection.ProtocolType == ProtocolType.Tcp)
        {
            connection.NoDelay = true;
        }

        Board.MachineLog.DebuggerConnected(_log, _debugger.Machine.Name);
        using NetworkStream stream = new(connection);
        GdbSession session = new(_debugger, new GdbChannel(stream));
        session.Run();

        // Closed under a reader, the connection would be reset, and the last reply with it.
        ShutDown(connection);
        session.Join();
        Board.MachineLog.DebuggerGone(_log, _debugger.Machine.Name);
    }
}
