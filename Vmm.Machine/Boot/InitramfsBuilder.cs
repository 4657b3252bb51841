// SPDX-License-Identifier: BSD-2-Clause

using System.Text;

namespace Vmm.Machine.Boot;

/// <summary>
/// Puts together an initial RAM disk for Linux: folders, files, links and device nodes, all root's, in the order of their paths. The
/// same content gives the same bytes. One thread at a time.
/// </summary>
public sealed class InitramfsBuilder
{
    private const uint FolderType = 0x4000;
    private const uint CharacterDeviceType = 0x2000;
    private const uint FileType = 0x8000;
    private const uint LinkType = 0xa000;
    private const uint FolderMode = 0x1ed;
    private const uint LinkMode = 0x1ff;
    private const string Separator = "/";

    private readonly SortedDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>Adds a folder, and those that it lies in.</summary>
    /// <param name="path">Its path, with or without a leading slash.</param>
    /// <exception cref="ArgumentException">The path is empty, has an empty or relative part, or is something else already.</exception>
    public void AddFolder(string path) => Add(path, new Entry(FolderType | FolderMode, default, default));

    /// <summary>Adds a file.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="content">Its bytes; kept, not copied.</param>
    /// <param name="isExecutable">Whether it is a program.</param>
    /// <exception cref="ArgumentException">As for <see cref="AddFolder"/>.</exception>
    public void AddFile(string path, ReadOnlyMemory<byte> content, bool isExecutable = false)
    {
        const uint Plain = 0x1a4;
        const uint Executable = 0x1ed;
        Add(path, new Entry(FileType | (isExecutable ? Executable : Plain), content, default));
    }

    /// <summary>Adds a symbolic link.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="target">What it says.</param>
    /// <exception cref="ArgumentException">As for <see cref="AddFolder"/>; the target is empty.</exception>
    public void AddLink(string path, string target)
    {
        ArgumentException.ThrowIfNullOrEmpty(target);
        Add(path, new Entry(LinkType | LinkMode, Encoding.UTF8.GetBytes(target), default));
    }

    /// <summary>Adds a node for a character device.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="major">The driver's number.</param>
    /// <param name="minor">The device's number.</param>
    /// <exception cref="ArgumentException">As for <see cref="AddFolder"/>.</exception>
    public void AddCharacterDevice(string path, int major, int minor)
    {
        const uint Open = 0x1b6;
        ArgumentOutOfRangeException.ThrowIfNegative(major);
        ArgumentOutOfRangeException.ThrowIfNegative(minor);
        Add(path, new Entry(CharacterDeviceType | Open, default, ((uint)major, (uint)minor)));
    }

    /// <summary>Writes the archive, not compressed.</summary>
    /// <param name="output">Receives it; stays open.</param>
    public void Write(Stream output)
    {
        ArgumentNullException.ThrowIfNull(output);
        CpioWriter writer = new(output);
        foreach ((string path, Entry entry) in _entries)
        {
            writer.Write(path, entry.Mode, entry.Content.Span, entry.Device);
        }

        writer.End();
    }

    /// <summary>The archive, not compressed.</summary>
    /// <returns>Its bytes.</returns>
    public byte[] ToArray()
    {
        using MemoryStream stream = new();
        Write(stream);
        return stream.ToArray();
    }

    private void Add(string path, in Entry entry)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string[] parts = path.TrimStart('/').Split('/');
        if (parts.Any(part => part is "" or "." or ".."))
        {
            throw new ArgumentException($"'{path}' is no path of a file system", nameof(path));
        }

        for (int length = 1; length < parts.Length; length++)
        {
            Put(string.Join(Separator, parts[..length]), new Entry(FolderType | FolderMode, default, default));
        }

        Put(string.Join(Separator, parts), entry);
    }

    private void Put(string path, in Entry entry)
    {
        bool isFolder = (entry.Mode & 0xf000) == FolderType;
        if (_entries.TryGetValue(path, out Entry before) && !(isFolder && (before.Mode & 0xf000) == FolderType))
        {
            throw new ArgumentException($"'{path}' is there already", nameof(path));
        }

        _entries[path] = entry;
    }

    private readonly record struct Entry(uint Mode, ReadOnlyMemory<byte> Content, (uint Major, uint Minor) Device);
}
