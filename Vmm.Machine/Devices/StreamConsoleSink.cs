// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Machine.Devices;

/// <summary>
/// A console over a stream that may be slow, stuck or broken: output waits in a bounded buffer and a thread of its own
/// writes it, so that the guest is delayed for bounded time at most and never sees an error. May be used from any thread.
/// </summary>
public sealed class StreamConsoleSink : IConsoleSink, IDisposable
{
    private readonly object _gate = new();
    private readonly Stream _stream;
    private readonly StreamConsoleSinkOptions _options;
    private readonly Thread _writer;
    private readonly byte[] _buffer;
    private int _start;
    private int _count;
    private int _writing;
    private long _dropped;
    private bool _stalled;
    private bool _ended;
    private bool _failed;

    /// <summary>Starts writing to a stream.</summary>
    /// <param name="stream">Used by this sink alone; stays open when the sink is disposed.</param>
    /// <param name="options">Limits; null for the defaults.</param>
    public StreamConsoleSink(Stream stream, StreamConsoleSinkOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        _options = options ?? new StreamConsoleSinkOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(_options.Capacity, 1, nameof(options));
        _stream = stream;
        _buffer = new byte[_options.Capacity];
        _writer = new Thread(WriteOut) { IsBackground = true, Name = "Vmm console" };
        _writer.Start();
    }

    /// <summary>Bytes that were dropped because the stream was stuck, broken or no longer wanted.</summary>
    public long Dropped
    {
        get
        {
            lock (_gate)
            {
                return _dropped;
            }
        }
    }

    /// <inheritdoc/>
    public void Write(ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            while (!data.IsEmpty && MakeRoom())
            {
                int end = (_start + _count) % _buffer.Length;
                int size = Math.Min(data.Length, Math.Min(_buffer.Length - _count, _buffer.Length - end));
                data[..size].CopyTo(_buffer.AsSpan(end));
                _count += size;
                data = data[size..];
                Monitor.PulseAll(_gate);
            }

            _dropped += data.Length;
        }
    }

    /// <summary>Waits until the stream has taken everything written so far.</summary>
    /// <param name="timeout">How long to wait at most; not negative.</param>
    /// <returns>Whether it has; never after an error.</returns>
    public bool Flush(TimeSpan timeout)
    {
        lock (_gate)
        {
            WaitWhile(static sink => sink._count + sink._writing > 0 && !sink._failed, timeout);
            return _count + _writing == 0 && !_failed;
        }
    }

    /// <summary>
    /// Ends the output: what still waits is written within <see cref="StreamConsoleSinkOptions.WaitForEnd"/> or dropped. Later
    /// writes are dropped.
    /// </summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_ended)
            {
                return;
            }

            _ended = true;
            Monitor.PulseAll(_gate);
        }

        // A thread that is stuck in the stream cannot be ended; it is a background thread and writes nothing more.
        if (!_writer.Join(_options.WaitForEnd))
        {
            lock (_gate)
            {
                _dropped += _count;
                _count = 0;
                _failed = true;
            }
        }
    }

    // Called with the gate held; false when there is no room and none is to be waited for.
    private bool MakeRoom()
    {
        if (_count == _buffer.Length && !_stalled)
        {
            WaitWhile(static sink => sink._count == sink._buffer.Length && !sink._ended && !sink._failed, _options.WaitForRoom);
            _stalled = _count == _buffer.Length;
        }

        return _count < _buffer.Length && !_ended && !_failed;
    }

    private void WaitWhile(Predicate<StreamConsoleSink> condition, TimeSpan timeout)
    {
        long deadline = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        while (condition(this))
        {
            long left = deadline - Environment.TickCount64;
            if (left <= 0)
            {
                return;
            }

            Monitor.Wait(_gate, (int)Math.Min(left, int.MaxValue));
        }
    }

    private void WriteOut()
    {
        byte[] chunk = new byte[Math.Min(_buffer.Length, 64 * 1024)];
        while (Take(chunk) is int size and > 0)
        {
            try
            {
                _stream.Write(chunk, 0, size);
                _stream.Flush();
            }
            catch (Exception error) when (error is not OutOfMemoryException)
            {
                // Whatever a stream throws, it must not end the process from this thread; it is reported once.
                Fail(size);
                _options.OnError?.Invoke(error);
                return;
            }
        }
    }

    // Zero when the output has ended.
    private int Take(byte[] chunk)
    {
        lock (_gate)
        {
            _writing = 0;
            Monitor.PulseAll(_gate);
            while (_count == 0 && !_ended && !_failed)
            {
                Monitor.Wait(_gate);
            }

            int size = Math.Min(chunk.Length, Math.Min(_count, _buffer.Length - _start));
            _buffer.AsSpan(_start, size).CopyTo(chunk);
            _start = (_start + size) % _buffer.Length;
            _count -= size;
            _writing = size;
            _stalled = false;
            Monitor.PulseAll(_gate);
            return size;
        }
    }

    private void Fail(int size)
    {
        lock (_gate)
        {
            _failed = true;
            _dropped += size + _count;
            _count = 0;
            _writing = 0;
            Monitor.PulseAll(_gate);
        }
    }
}
