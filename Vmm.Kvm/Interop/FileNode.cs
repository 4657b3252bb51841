// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;

namespace Vmm.Kvm.Interop;

/// <summary>A file as its permissions see it.</summary>
/// <param name="Mode">Type and permission bits (inode(7)).</param>
/// <param name="Owner">The user.</param>
/// <param name="Group">The group.</param>
internal sealed record FileNode(uint Mode, uint Owner, uint Group)
{
    private const uint TypeMask = 0xf000;
    private const uint CharacterDevice = 0x2000;
    private const uint Folder = 0x4000;
    private const uint RegularFile = 0x8000;
    private const uint ReadWrite = 6;
    private const int OwnerShift = 6;
    private const int GroupShift = 3;

    /// <summary>Whether it is a character device.</summary>
    public bool IsCharacterDevice => (Mode & TypeMask) == CharacterDevice;

    /// <summary>Whether the group may read and write.</summary>
    public bool GroupMayUse => Allows(GroupShift);

    /// <summary>What it is, in words.</summary>
    public string Kind => (Mode & TypeMask) switch
    {
        Folder => "a folder",
        RegularFile => "a regular file",
        CharacterDevice => "a character device",
        _ => "no character device",
    };

    /// <summary>The group's name, or its number where it has no name here.</summary>
    public string GroupName => NameIn("/etc/group", Group);

    /// <summary>Looks a path up, following links.</summary>
    /// <param name="path">The path.</param>
    /// <param name="error">Otherwise the error number.</param>
    /// <returns>The file, or null.</returns>
    public static FileNode? Find(string path, out int error)
    {
        if (LibC.stat(path, out uint mode, out uint owner, out uint group) == 0)
        {
            error = 0;
            return new FileNode(mode, owner, group);
        }

        error = LibC.Errno;
        return null;
    }

    /// <summary>Whether the permission bits let a process read and write.</summary>
    public bool MayUse(ProcessIdentity who)
    {
        if (who.User == 0)
        {
            return true;
        }

        if (who.User == Owner)
        {
            return Allows(OwnerShift);
        }

        return who.Groups.Contains(Group) ? Allows(GroupShift) : Allows(0);
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"user {NameIn("/etc/passwd", Owner)} and group {GroupName} with mode {Convert.ToString(Mode & 0xfff, 8)}");

    /// <summary>The name of a number in a file with the layout of <c>/etc/passwd</c> and <c>/etc/group</c>.</summary>
    internal static string NameIn(string file, uint number)
    {
        string text = number.ToString(CultureInfo.InvariantCulture);
        if (!File.Exists(file))
        {
            return text;
        }

        foreach (string line in File.ReadLines(file))
        {
            string[] fields = line.Split(':');
            if (fields.Length > 2 && fields[2] == text)
            {
                return fields[0];
            }
        }

        return text;
    }

    private bool Allows(int shift) => (Mode >> shift & ReadWrite) == ReadWrite;
}
