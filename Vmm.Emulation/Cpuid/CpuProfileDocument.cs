// SPDX-License-Identifier: BSD-2-Clause

using System.Text.Json;
using System.Text.Json.Serialization;

namespace Vmm.Emulation.Cpuid;

/// <summary>A profile as JSON has it. Members that are not here are gathered, so that they can be refused by name.</summary>
internal sealed class CpuProfileDocument
{
    [JsonPropertyName("$schema")]
    public string? Schema { get; set; }

    public string? Name { get; set; }

    public string? Description { get; set; }

    public string? Base { get; set; }

    public string[]? Features { get; set; }

    public string? Hypervisor { get; set; }

    public CpuProfileLeaf[]? Leaves { get; set; }

    public CpuProfileMsr[]? Msrs { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>A leaf: numbers as 0x…; without an index it answers for any.</summary>
internal sealed class CpuProfileLeaf
{
    public string? Function { get; set; }

    public string? Index { get; set; }

    public string? Eax { get; set; }

    public string? Ebx { get; set; }

    public string? Ecx { get; set; }

    public string? Edx { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>A register's name or number, and its value as 0x….</summary>
internal sealed class CpuProfileMsr
{
    public string? Register { get; set; }

    public string? Value { get; set; }

    [JsonExtensionData]
    public Dictionary<string, JsonElement>? Unknown { get; set; }
}

/// <summary>The generated code that reads and writes profiles.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true,
    NewLine = "\n")]
[JsonSerializable(typeof(CpuProfileDocument))]
internal sealed partial class CpuProfileContext : JsonSerializerContext;
