// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using Vmm.Abstractions.Cpuid;
using Vmm.Abstractions.Msr;
using Vmm.Emulation.Msr;

namespace Vmm.Emulation.Cpuid;

/// <summary>From JSON to a profile.</summary>
internal static class CpuProfileReader
{
    private static readonly string[] s_members = ["$schema", "name", "description", "base", "features", "hypervisor", "leaves", "msrs"];
    private static readonly string[] s_leafMembers = ["function", "index", "eax", "ebx", "ecx", "edx"];
    private static readonly string[] s_msrMembers = ["register", "value"];

    public static CpuProfile Read(string json)
    {
        CpuProfileDocument document = Parse(json);
        RefuseUnknown("", document.Unknown, s_members);
        if (document.Base is null == document.Leaves is null)
        {
            throw new CpuProfileException(document.Base is null
                ? "it has neither 'base' nor 'leaves'; one of them says what the processor starts from"
                : "it has both 'base' and 'leaves'; one of them says what the processor starts from");
        }

        return new CpuProfile
        {
            Name = document.Name ?? "",
            Description = document.Description ?? "",
            Model = ReadModel(document),
            Leaves = ReadLeaves(document.Leaves ?? []),
            Msrs = ReadMsrs(document.Msrs ?? []),
        };
    }

    private static CpuProfileDocument Parse(string json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, CpuProfileContext.Default.CpuProfileDocument)
                ?? throw new CpuProfileException("it is null, not an object");
        }
        catch (JsonException reason)
        {
            // The exception's own text is not available where the runtime's messages are left out.
            string path = reason.Path is { Length: > 0 } known && known != "$" ? $" at {known}" : "";
            throw new CpuProfileException(
                $"it is not JSON of a profile: line {(reason.LineNumber ?? 0) + 1}, byte {(reason.BytePositionInLine ?? 0) + 1}{path}");
        }
    }

    private static void RefuseUnknown(string where, Dictionary<string, JsonElement>? unknown, string[] members)
    {
        if (unknown is { Count: > 0 })
        {
            string name = unknown.Keys.Order(StringComparer.Ordinal).First();
            throw new CpuProfileException($"{where}there is no member '{name}'; did you mean '{NearestName.Of(name, members)}'?");
        }
    }

    private static CpuModel ReadModel(CpuProfileDocument document)
    {
        string[] parts =
        [
            document.Base ?? CpuModel.Host.Name,
            .. document.Hypervisor is { } leaves ? [$"hypervisor={leaves}"] : Array.Empty<string>(),
            .. document.Features ?? [],
        ];
        if (parts.FirstOrDefault(part => part is null || part.Contains(',', StringComparison.Ordinal)) is { } strange)
        {
            throw new CpuProfileException($"'{strange}' is not one base or feature");
        }

        return CpuModel.TryParse(string.Join(',', parts), out CpuModel? model, out string? problem)
            ? model
            : throw new CpuProfileException(problem);
    }

    private static ImmutableArray<CpuidEntry> ReadLeaves(CpuProfileLeaf[] leaves)
    {
        if (leaves.Length > CpuidConfiguration.MaxEntries)
        {
            throw new CpuProfileException($"it has {leaves.Length} leaves; {CpuidConfiguration.MaxEntries} is the most");
        }

        ImmutableArray<CpuidEntry>.Builder entries = ImmutableArray.CreateBuilder<CpuidEntry>(leaves.Length);
        foreach ((int number, CpuProfileLeaf? leaf) in leaves.Index())
        {
            string where = $"leaves[{number}]: ";
            if (leaf is null)
            {
                throw new CpuProfileException($"{where}it is null");
            }

            RefuseUnknown(where, leaf.Unknown, s_leafMembers);
            CpuidEntry entry = new(
                Number32(where + "function", leaf.Function),
                leaf.Index is null ? 0 : Number32(where + "index", leaf.Index),
                leaf.Index is not null,
                Number32(where + "eax", leaf.Eax),
                Number32(where + "ebx", leaf.Ebx),
                Number32(where + "ecx", leaf.Ecx),
                Number32(where + "edx", leaf.Edx));
            if (entries.Any(other => other.Function == entry.Function && (other.Index == entry.Index || !other.MatchIndex || !entry.MatchIndex)))
            {
                throw new CpuProfileException($"{where}the leaf 0x{entry.Function:x} is there already");
            }

            entries.Add(entry);
        }

        return entries.ToImmutable();
    }

    private static ImmutableArray<MsrEntry> ReadMsrs(CpuProfileMsr[] msrs)
    {
        ImmutableArray<MsrEntry>.Builder entries = ImmutableArray.CreateBuilder<MsrEntry>(msrs.Length);
        foreach ((int number, CpuProfileMsr? msr) in msrs.Index())
        {
            string where = $"msrs[{number}]: ";
            if (msr is null)
            {
                throw new CpuProfileException($"{where}it is null");
            }

            RefuseUnknown(where, msr.Unknown, s_msrMembers);
            if (!MsrRegistry.TryParse(msr.Register ?? "", out MsrIndex index, out string? problem))
            {
                throw new CpuProfileException(where + problem);
            }

            entries.Add(new MsrEntry(index, Number(where + "value", msr.Value, ulong.MaxValue)));
        }

        return entries.ToImmutable();
    }

    private static uint Number32(string where, string? text) => (uint)Number(where, text, uint.MaxValue);

    private static ulong Number(string where, string? text, ulong most) =>
        text is not null
        && text.StartsWith("0x", StringComparison.Ordinal)
        && ulong.TryParse(text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value)
        && value <= most
            ? value
            : throw new CpuProfileException($"{where}: {(text is null ? "it is missing" : $"'{text}' is not a number")}; write one such as \"0x10\", up to 0x{most:x}");
}
