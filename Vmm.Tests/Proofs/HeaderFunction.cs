// SPDX-License-Identifier: BSD-2-Clause

using System.Reflection;
using Vmm.Abstractions;
using Vmm.Abstractions.Backend;
using Vmm.Engine;
using Vmm.Kvm;
using Vmm.Software;
using Vmm.Tests.Abstractions;

namespace Vmm.Tests.Proofs;

/// <summary>A function of the header, the bodies that do its work, and the tests that fail without them.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Bodies">The methods of the engine that carry it out, or of the contract where that has the code.</param>
/// <param name="Tests">The tests that say so, by full name.</param>
internal sealed record HeaderFunction(string Name, IReadOnlyList<MethodInfo> Bodies, IReadOnlyList<string> Tests)
{
    private const BindingFlags Anything =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    /// <summary>Functions whose counterpart is a type, an enumerator or the end of a registration, and who does their work.</summary>
    private static readonly Dictionary<string, (string Type, string Method)> s_workers = new()
    {
        ["vm_destroy"] = ("Vmm.Engine.VirtualMachine", "Dispose"),
        ["vm_copy_teardown"] = ("Vmm.Engine.Memory.GuestCopyPlan", "Dispose"),
        ["vm_ioport_detach"] = ("Vmm.Engine.Registration", "Dispose"),
        ["vm_ioport_unhook"] = ("Vmm.Engine.Registration", "Dispose"),
        ["vcpu_unblock_run"] = ("Vmm.Engine.Registration", "Dispose"),
        ["vcpu_stats"] = ("Vmm.Engine.VirtualCpu", "get_Counters"),
        ["vcpu_trace_exceptions"] = ("Vmm.Engine.VirtualCpu", "GetCapability"),
        ["vcpu_trap_wbinvd"] = ("Vmm.Engine.VirtualCpu", "GetCapability"),
        ["vm_create"] = ("Vmm.Engine.VirtualMachineFactory", "Create"),
        ["vmm_mod_unload"] = ("Vmm.Kvm.KvmBackend", "Dispose"),
    };

    /// <summary>Every function that has a counterpart, by name.</summary>
    /// <returns>The functions.</returns>
    public static IReadOnlyList<HeaderFunction> All()
    {
        ILookup<string, string> tests = Proofs().ToLookup(pair => pair.Symbol, pair => pair.Test);
        SortedDictionary<string, List<string>> mirrored = VmmKernelMap.Collect();
        return
        [
            .. VmmKernelSymbols.Names().Where(pair => pair.Value.Contains("function", StringComparison.Ordinal) && mirrored.ContainsKey(pair.Key))
                .Select(pair => pair.Key).Order(StringComparer.Ordinal)
                .Select(name => new HeaderFunction(name, [.. BodiesOf(name)], [.. tests[name].Order(StringComparer.Ordinal)])),
        ];
    }

    /// <summary>What the tests of this assembly say that they prove.</summary>
    /// <returns>A function and a test, by full name, for each.</returns>
    public static IEnumerable<(string Symbol, string Test)> Proofs() =>
        from type in typeof(HeaderFunction).Assembly.GetTypes()
        where !type.IsAbstract && !type.GetCustomAttributes<TestFixtureAttribute>().Any(fixture => fixture.Arguments.Length > 0)
        from method in type.GetMethods(BindingFlags.Public | BindingFlags.Instance)
        from symbol in method.GetCustomAttribute<ProvesAttribute>()?.Symbols ?? []
        select (symbol, $"{type.FullName}.{method.Name}");

    private static IEnumerable<MethodInfo> BodiesOf(string name)
    {
        if (s_workers.TryGetValue(name, out (string Type, string Method) worker))
        {
            return Implementers().Single(type => type.FullName == worker.Type).GetMethods(Anything).Where(method => method.Name == worker.Method);
        }

        return MirroredBy(name).SelectMany(member => AccessorsOf(name, member)).SelectMany(ImplementationsOf).Distinct();
    }

    private static IEnumerable<MemberInfo> MirroredBy(string name) =>
        from type in typeof(VmmKernelSymbolAttribute).Assembly.GetExportedTypes()
        from member in type.GetMembers(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
        where member.GetCustomAttributes<VmmKernelSymbolAttribute>(inherit: false).Any(symbol => symbol.Name == name)
        select member;

    /// <summary>A property that mirrors a function to read or to write is that accessor of it.</summary>
    private static IEnumerable<MethodInfo> AccessorsOf(string name, MemberInfo member) => member switch
    {
        MethodInfo method => [method],
        PropertyInfo property when name.StartsWith("vm_set_", StringComparison.Ordinal) => [property.SetMethod!],
        PropertyInfo property => [property.GetMethod!],
        _ => [],
    };

    private static IEnumerable<MethodInfo> ImplementationsOf(MethodInfo method)
    {
        if (method.DeclaringType is not { IsInterface: true } contract)
        {
            return [method];
        }

        return Implementers().Where(type => type.IsClass && !type.IsAbstract && contract.IsAssignableFrom(type))
            .SelectMany(type => ImplementationsOf(method, type.GetInterfaceMap(contract)));
    }

    /// <summary>The method, and the one behind it where it is a bridge, as the compiler makes for parameters that are read-only references.</summary>
    private static MethodInfo[] ImplementationsOf(MethodInfo method, InterfaceMapping map)
    {
        MethodInfo target = map.TargetMethods[Array.IndexOf(map.InterfaceMethods, method)];
        return
        [
            target,
            .. map.TargetType.GetMethods(Anything).Where(other => other.Name == method.Name && other.Name != target.Name
                && other.GetParameters().Length == method.GetParameters().Length),
        ];
    }

    private static IEnumerable<Type> Implementers() =>
        new[] { typeof(VirtualMachine), typeof(KvmBackend), typeof(SoftwareBackend) }.SelectMany(type => type.Assembly.GetTypes())
            .Where(type => !typeof(IBackendVcpu).IsAssignableFrom(type));
}
