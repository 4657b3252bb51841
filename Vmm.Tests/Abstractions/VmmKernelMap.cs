// SPDX-License-Identifier: BSD-2-Clause

using System.Reflection;
using System.Text;
using Vmm.Abstractions;
using Vmm.Tests.Proofs;

namespace Vmm.Tests.Abstractions;

/// <summary>Collects which public members mirror which names of the header.</summary>
internal static class VmmKernelMap
{
    /// <summary>Name in the header, and the members that mirror it.</summary>
    public static SortedDictionary<string, List<string>> Collect()
    {
        SortedDictionary<string, List<string>> map = new(StringComparer.Ordinal);
        foreach (Type type in typeof(VmmKernelSymbolAttribute).Assembly.GetExportedTypes())
        {
            Add(map, type, TypeName(type));
            const BindingFlags Declared =
                BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;
            foreach (MemberInfo member in type.GetMembers(Declared))
            {
                Add(map, member, $"{TypeName(type)}.{member.Name}");
            }
        }

        return map;
    }

    public static string ToMarkdown(IReadOnlyDictionary<string, string> kinds)
    {
        StringBuilder text = new();
        text.Append("# Where each name of `vmm_kernel.h` is\n\n");
        text.Append("Generated from the `[VmmKernelSymbol]` attributes of `Vmm.Abstractions` and checked by a test.\n");
        text.Append("Names without a counterpart are in [vmm-kernel-omissions.md](vmm-kernel-omissions.md).\n\n");
        text.Append("The tests named beside a function fail when its body is emptied: [vmm-kernel-proofs.md](vmm-kernel-proofs.md).\n\n");
        text.Append("| name | kind | counterpart | proven by |\n|---|---|---|---|\n");
        ILookup<string, string> proofs = HeaderFunction.Proofs().ToLookup(pair => pair.Symbol, pair => pair.Test);
        foreach ((string name, List<string> members) in Collect())
        {
            string kind = kinds.GetValueOrDefault(name, "unknown");
            text.Append($"| `{name}` | {kind} | {string.Join(", ", members.Select(member => $"`{member}`"))} | {string.Join(", ", proofs[name].Order(StringComparer.Ordinal).Select(test => $"`{string.Join('.', test.Split('.')[^2..])}`"))} |\n");
        }

        return text.ToString();
    }

    private static void Add(SortedDictionary<string, List<string>> map, MemberInfo member, string display)
    {
        foreach (VmmKernelSymbolAttribute symbol in member.GetCustomAttributes<VmmKernelSymbolAttribute>(inherit: false))
        {
            if (!map.TryGetValue(symbol.Name, out List<string>? members))
            {
                map[symbol.Name] = members = [];
            }

            members.Add(display);
            members.Sort(StringComparer.Ordinal);
        }
    }

    private static string TypeName(Type type) =>
        type.FullName!["Vmm.Abstractions.".Length..].Split('`')[0];
}
