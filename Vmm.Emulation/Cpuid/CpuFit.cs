// SPDX-License-Identifier: BSD-2-Clause

using System.Collections.Immutable;
using Vmm.Abstractions.Cpuid;

namespace Vmm.Emulation.Cpuid;

/// <summary>Says whether a processor can be given to guests on a host, before a vCPU runs.</summary>
public static class CpuFit
{
    /// <summary>The registers of which every bit is a feature, named or not.</summary>
    private static readonly ImmutableArray<(uint Function, uint Index, CpuidRegister Register)> s_bitmaps =
    [
        (1, 0, CpuidRegister.Ecx), (1, 0, CpuidRegister.Edx),
        (7, 0, CpuidRegister.Ebx), (7, 0, CpuidRegister.Ecx), (7, 0, CpuidRegister.Edx),
        (7, 1, CpuidRegister.Eax), (7, 1, CpuidRegister.Ebx), (7, 1, CpuidRegister.Ecx), (7, 1, CpuidRegister.Edx),
        (7, 2, CpuidRegister.Edx), (0xd, 1, CpuidRegister.Eax),
        (0x8000_0001, 0, CpuidRegister.Ecx), (0x8000_0001, 0, CpuidRegister.Edx),
        (0x8000_0008, 0, CpuidRegister.Ebx), (0x8000_0021, 0, CpuidRegister.Eax),
    ];

    /// <summary>Finds what stands in the way.</summary>
    /// <param name="definition">The processor.</param>
    /// <param name="host">What the hypervisor can give on the host.</param>
    /// <returns>Sentences without a full stop; none when the processor fits.</returns>
    public static ImmutableArray<string> FindProblems(CpuDefinition definition, CpuDefinition host)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(host);
        List<string> problems = [];
        if (definition.VendorName != host.VendorName)
        {
            problems.Add($"the processor is of vendor '{definition.VendorName}', this host's is of '{host.VendorName}'; their system calls differ");
        }

        ImmutableArray<CpuFeature> missing = FindMissing(definition, host);
        if (!missing.IsEmpty)
        {
            problems.Add($"the hypervisor cannot give guests on this host: {string.Join(", ", missing.Select(Named))}");
        }

        AddUnnamed(problems, definition, host);
        if (definition.PhysicalAddressBits > host.PhysicalAddressBits)
        {
            problems.Add($"its physical addresses have {definition.PhysicalAddressBits} bits, those of this host {host.PhysicalAddressBits}");
        }

        AddState(problems, definition, host);

        // What the hypervisor itself gives stands, even where it contradicts itself, as PVM's does about XSAVE.
        problems.AddRange(definition.FindViolations().Except(host.FindViolations()).Select(violation => violation.ToString()));
        problems.AddRange(definition.FindXsaveContradictions().Except(host.FindXsaveContradictions()));
        int count = definition.Entries.Length;
        if (count > CpuidConfiguration.MaxEntries)
        {
            problems.Add($"it has {count} leaves; {CpuidConfiguration.MaxEntries} is the most");
        }

        return [.. problems];
    }

    /// <summary>The features that a processor has and a hypervisor cannot give.</summary>
    /// <param name="definition">The processor.</param>
    /// <param name="host">What the hypervisor can give on the host.</param>
    /// <returns>The features, in the table's order.</returns>
    public static ImmutableArray<CpuFeature> FindMissing(CpuDefinition definition, CpuDefinition host)
    {
        ArgumentNullException.ThrowIfNull(definition);
        ArgumentNullException.ThrowIfNull(host);
        return
        [
            .. CpuFeatures.All.Where(feature =>
                definition.Has(feature) && !host.Has(feature) && !CpuFeatures.FromTheMachine.Contains(feature.Name)),
        ];
    }

    /// <summary>A bit's place as the manuals write it.</summary>
    internal static string Place(uint function, uint index, CpuidRegister register, int bit) =>
        $"leaf 0x{function:x}{(CpuidEntryExtensions.HasSubleaves(function) ? $".{index}" : "")} {register.ToString().ToUpperInvariant()} bit {bit}";

    private static string Named(CpuFeature feature) =>
        $"{feature.Name} ({Place(feature.Function, feature.Index, feature.Register, feature.Bit)})";

    private static void AddUnnamed(List<string> problems, CpuDefinition definition, CpuDefinition host)
    {
        foreach ((uint function, uint index, CpuidRegister register) in s_bitmaps)
        {
            definition.TryGet(function, index, out CpuidEntry wanted);
            host.TryGet(function, index, out CpuidEntry given);
            uint missing = wanted.Get(register) & ~given.Get(register);
            for (int bit = 0; bit < 32; bit++)
            {
                bool isRepeated = function == 0x8000_0001 && register == CpuidRegister.Edx && (0x0183_f3ff >> bit & 1) != 0;
                if ((missing >> bit & 1) != 0 && !isRepeated && !CpuFeatures.All.Any(feature => IsAt(feature, function, index, register, bit)))
                {
                    problems.Add($"{Place(function, index, register, bit)} has no name here, and the hypervisor cannot give it to guests");
                }
            }
        }
    }

    private static bool IsAt(in CpuFeature feature, uint function, uint index, CpuidRegister register, int bit) =>
        feature.Function == function && feature.Index == index && feature.Register == register && feature.Bit == bit;

    private static void AddState(List<string> problems, CpuDefinition definition, CpuDefinition host)
    {
        for (uint component = 2; component < 63; component++)
        {
            ulong bit = 1UL << (int)component;
            bool isWanted = ((definition.UserStates | definition.SupervisorStates) & bit) != 0;
            bool isGiven = ((host.UserStates | host.SupervisorStates) & bit) != 0;
            if (isWanted && !isGiven)
            {
                problems.Add($"XSAVE component {component} is not among those that the hypervisor manages on this host");
            }
            else if (isWanted
                && definition.TryGet(0xd, component, out CpuidEntry wanted)
                && host.TryGet(0xd, component, out CpuidEntry given)
                && (wanted.Eax, wanted.Ebx) != (given.Eax, given.Ebx))
            {
                problems.Add($"XSAVE component {component} has {wanted.Eax} bytes at {wanted.Ebx}, on this host {given.Eax} at {given.Ebx}");
            }
        }
    }
}
