// SPDX-License-Identifier: BSD-2-Clause

using System.Text.Encodings.Web;
using System.Text.Json;
using Vmm.Emulation.Msr;

namespace Vmm.Emulation.Cpuid;

/// <summary>From a profile to JSON.</summary>
internal static class CpuProfileWriter
{
    private static readonly CpuProfileContext s_context = new(new JsonSerializerOptions(CpuProfileContext.Default.Options)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    });

    public static string Write(CpuProfile profile)
    {
        bool hasLeaves = !profile.Leaves.IsEmpty;
        CpuModel model = profile.Model;
        return JsonSerializer.Serialize(
            new CpuProfileDocument
            {
                Name = profile.Name.Length == 0 ? null : profile.Name,
                Description = profile.Description.Length == 0 ? null : profile.Description,
                Base = hasLeaves ? null : model.Name,
                Features = model.Changes.IsEmpty
                    ? null
                    : [.. model.Changes.Select(change => $"{(change.Enabled ? '+' : '-')}{change.Feature.Name}")],
                Hypervisor = model.Hypervisor?.ToString().ToLowerInvariant(),
                Leaves = hasLeaves
                    ?
                    [
                        .. profile.Leaves.Select(entry => new CpuProfileLeaf
                        {
                            Function = $"0x{entry.Function:x}",
                            Index = entry.MatchIndex ? $"0x{entry.Index:x}" : null,
                            Eax = $"0x{entry.Eax:x8}",
                            Ebx = $"0x{entry.Ebx:x8}",
                            Ecx = $"0x{entry.Ecx:x8}",
                            Edx = $"0x{entry.Edx:x8}",
                        }),
                    ]
                    : null,
                Msrs = profile.Msrs.IsEmpty
                    ? null
                    :
                    [
                        .. profile.Msrs.Select(entry => new CpuProfileMsr
                        {
                            Register = MsrRegistry.NameOf(entry.Index),
                            Value = $"0x{entry.Value:x}",
                        }),
                    ],
            },
            s_context.CpuProfileDocument);
    }
}
