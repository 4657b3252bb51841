// SPDX-License-Identifier: BSD-2-Clause

using System.Globalization;

namespace Vmm.Tests.Abi;

/// <summary>The committed table <c>Data/kvm-abi.txt</c>; its head says what the lines mean.</summary>
internal sealed class KvmAbiTable
{
    private const string Path = "Data/kvm-abi.txt";

    private KvmAbiTable(IReadOnlyList<Item> items, IReadOnlyDictionary<string, string> excluded)
    {
        Items = items;
        Excluded = excluded;
    }

    /// <summary>What a line is about.</summary>
    public enum Kind
    {
        /// <summary>A structure and its size.</summary>
        Struct,

        /// <summary>A field and its offset.</summary>
        Field,

        /// <summary>A request and its code.</summary>
        Request,

        /// <summary>A constant and its value.</summary>
        Constant,
    }

    /// <summary>The table, read once.</summary>
    public static KvmAbiTable Instance { get; } = Read();

    /// <summary>Every line that has a number.</summary>
    public IReadOnlyList<Item> Items { get; }

    /// <summary>Macros of the header that are left out, with the reason.</summary>
    public IReadOnlyDictionary<string, string> Excluded { get; }

    /// <summary>The items of one kind.</summary>
    public IEnumerable<Item> Of(Kind kind) => Items.Where(item => item.Kind == kind);

    private static KvmAbiTable Read()
    {
        List<Item> items = [];
        Dictionary<string, string> excluded = [];
        (string Managed, string Native) structure = ("", "");
        foreach (string line in File.ReadLines(System.IO.Path.Combine(AppContext.BaseDirectory, Path)))
        {
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            switch (words)
            {
                case [] or ["#", ..]:
                    break;
                case ["excluded", var macro, .. var reason]:
                    excluded.Add(macro, string.Join(' ', reason));
                    break;
                case ["struct", var managed, var native, var size, var since]:
                    structure = (managed, native);
                    items.Add(new Item(Kind.Struct, "", managed, "", native, Number(size), Since(since)));
                    break;
                case ["field", var managed, var native, var offset, var since]:
                    items.Add(new Item(
                        Kind.Field, structure.Managed, managed, structure.Native, native, Number(offset), Since(since)));
                    break;
                case ["request", var managed, var native, var code, var since]:
                    items.Add(new Item(
                        Kind.Request, "KvmRequests", managed, "", native, Number(code), Since(since)));
                    break;
                case ["const", var managed, var native, var value, var since]:
                    string[] parts = managed.Split('.');
                    items.Add(new Item(
                        Kind.Constant, parts[0], parts[1], "", native, Number(value), Since(since)));
                    break;
                default:
                    throw new InvalidDataException($"{Path}: {line}");
            }
        }

        return new KvmAbiTable(items, excluded);
    }

    private static ulong Number(string text) =>
        text.StartsWith("0x", StringComparison.Ordinal)
            ? ulong.Parse(text.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)
            : ulong.Parse(text, CultureInfo.InvariantCulture);

    private static Version? Since(string text) => text == "-" ? null : Version.Parse(text);

    /// <summary>One line.</summary>
    /// <param name="Kind">What it is about.</param>
    /// <param name="Owner">The C# type that holds the member, if it is a member.</param>
    /// <param name="Managed">The C# name.</param>
    /// <param name="NativeOwner">The C path of the struct that holds the field.</param>
    /// <param name="Native">The C name or path.</param>
    /// <param name="Value">Size, offset, code or value.</param>
    /// <param name="Since">The kernel that brought it, if newer than 6.1.</param>
    public sealed record Item(
        Kind Kind, string Owner, string Managed, string NativeOwner, string Native, ulong Value, Version? Since)
    {
        /// <summary>A C expression with the same meaning.</summary>
        public string Expression()
        {
            switch (Kind)
            {
                case Kind.Struct:
                    (string root, string path) = Split(Native);
                    return path.Length == 0
                        ? $"sizeof(struct {root})"
                        : $"sizeof(((struct {root} *)0)->{path})";
                case Kind.Field:
                    (string holder, string inside) = Split(NativeOwner);
                    return inside.Length == 0
                        ? $"offsetof(struct {holder}, {Native})"
                        : $"(offsetof(struct {holder}, {inside}.{Native}) - offsetof(struct {holder}, {inside}))";
                default:
                    return $"(unsigned long long)({Native})";
            }
        }

        /// <inheritdoc/>
        public override string ToString() => NativeOwner.Length == 0 ? Native : $"{NativeOwner}.{Native}";

        private static (string Root, string Path) Split(string native)
        {
            int dot = native.IndexOf('.', StringComparison.Ordinal);
            return dot < 0 ? (native, "") : (native[..dot], native[(dot + 1)..]);
        }
    }
}
