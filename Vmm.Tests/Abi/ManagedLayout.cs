// SPDX-License-Identifier: BSD-2-Clause

using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using Vmm.Kvm.Interop;

namespace Vmm.Tests.Abi;

/// <summary>Sizes and offsets as the runtime lays the interop declarations out.</summary>
internal static class ManagedLayout
{
    private const string Namespace = "Vmm.Kvm.Interop";

    /// <summary>The interop assembly.</summary>
    public static Assembly Assembly { get; } = typeof(KvmRun).Assembly;

    /// <summary>Every type of the interop namespace that a person wrote.</summary>
    public static IEnumerable<Type> Types() =>
        Assembly.GetTypes().Where(type =>
            type.Namespace == Namespace && !type.IsDefined(typeof(CompilerGeneratedAttribute), inherit: false));

    /// <summary>A type of the interop namespace by name.</summary>
    public static Type Type(string name) =>
        Assembly.GetType($"{Namespace}.{name}") ?? throw new InvalidDataException($"no C# type {name}");

    /// <summary>The size of an unmanaged type in bytes.</summary>
    public static ulong SizeOf(Type type) =>
        (ulong)(int)typeof(Unsafe).GetMethod(nameof(Unsafe.SizeOf))!.MakeGenericMethod(type).Invoke(null, null)!;

    /// <summary>The fields of a struct in the order of declaration.</summary>
    public static FieldInfo[] Fields(Type type) =>
        type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);

    /// <summary>A field's offset in bytes, as the compiled code sees it, also for inline arrays.</summary>
    public static ulong OffsetOf(Type type, string field)
    {
        FieldInfo info = type.GetField(field) ?? throw new InvalidDataException($"no C# field {type.Name}.{field}");
        DynamicMethod method = new("offset", typeof(long), null, type.Module, skipVisibility: true);
        ILGenerator code = method.GetILGenerator();
        LocalBuilder local = code.DeclareLocal(type);
        code.Emit(OpCodes.Ldloca, local);
        code.Emit(OpCodes.Ldflda, info);
        code.Emit(OpCodes.Conv_U);
        code.Emit(OpCodes.Ldloca, local);
        code.Emit(OpCodes.Conv_U);
        code.Emit(OpCodes.Sub);
        code.Emit(OpCodes.Conv_I8);
        code.Emit(OpCodes.Ret);
        return (ulong)method.CreateDelegate<Func<long>>()();
    }

    /// <summary>The value of a constant or an enum member.</summary>
    public static ulong Constant(string type, string member)
    {
        FieldInfo field = Type(type).GetField(member, BindingFlags.Static | BindingFlags.Public)
            ?? throw new InvalidDataException($"no C# constant {type}.{member}");
        object value = field.GetRawConstantValue()!;
        return value is nint native ? (ulong)native : Convert.ToUInt64(value, System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>A request's name and code.</summary>
    public static (string Name, uint Code) Request(string member)
    {
        object request = typeof(KvmRequests).GetField(member, BindingFlags.Static | BindingFlags.Public)?.GetValue(null)
            ?? throw new InvalidDataException($"no C# request {member}");
        Type type = request.GetType();
        return ((string)type.GetProperty("Name")!.GetValue(request)!, (uint)type.GetProperty("Code")!.GetValue(request)!);
    }
}
