// SPDX-License-Identifier: BSD-2-Clause

using System.Reflection;
using System.Runtime.CompilerServices;
using Vmm.Kvm.Interop;

namespace Vmm.Tests.Abi;

/// <summary>The C# declarations against the committed table, in both directions.</summary>
[TestFixture]
public sealed class KvmAbiTests
{
    // Structs of the interop namespace that never reach the kernel.
    private static readonly HashSet<Type> s_notOfTheKernel =
    [
        typeof(IoctlNone),
        typeof(KvmMsrFilterEntry),
        typeof(CoalescedRing),
        typeof(DescriptorUse),
        typeof(KvmVcpuSession),
        typeof(PollFd),
        typeof(EpollEvent),
    ];

    private static KvmAbiTable Table => KvmAbiTable.Instance;

    [Test]
    public void Every_struct_has_the_size_of_the_table()
    {
        IEnumerable<string> wrong =
            from item in Table.Of(KvmAbiTable.Kind.Struct)
            let size = ManagedLayout.SizeOf(ManagedLayout.Type(item.Managed))
            where size != item.Value
            select $"{item}: {size} bytes in C#, {item.Value} in the table";

        wrong.Should().BeEmpty();
    }

    [Test]
    public void Every_field_has_the_offset_of_the_table()
    {
        IEnumerable<string> wrong =
            from item in Table.Of(KvmAbiTable.Kind.Field)
            let offset = ManagedLayout.OffsetOf(ManagedLayout.Type(item.Owner), item.Managed)
            where offset != item.Value
            select $"{item}: offset {offset} in C#, {item.Value} in the table";

        wrong.Should().BeEmpty();
    }

    [Test]
    public void Every_request_has_the_name_and_code_of_the_table()
    {
        IEnumerable<string> wrong =
            from item in Table.Of(KvmAbiTable.Kind.Request)
            let request = ManagedLayout.Request(item.Managed)
            where request.Code != item.Value || request.Name != item.Native
            select $"{item}: {request.Name} 0x{request.Code:x8} in C#, 0x{item.Value:x8} in the table";

        wrong.Should().BeEmpty();
    }

    [Test]
    public void Every_constant_has_the_value_of_the_table()
    {
        IEnumerable<string> wrong =
            from item in Table.Of(KvmAbiTable.Kind.Constant)
            let value = ManagedLayout.Constant(item.Owner, item.Managed)
            where value != item.Value
            select $"{item}: {value} in C#, {item.Value} in the table";

        wrong.Should().BeEmpty();
    }

    /// <summary>The C library's, not KVM's: an int and two shorts (poll(2)).</summary>
    [Test]
    public void An_event_of_epoll_is_packed()
    {
        System.Runtime.CompilerServices.Unsafe.SizeOf<EpollEvent>().Should().Be(12);
        System.Runtime.InteropServices.Marshal.OffsetOf<EpollEvent>(nameof(EpollEvent.Data)).Should().Be(4);
    }

    [Test]
    public void A_poll_descriptor_has_eight_bytes() => System.Runtime.CompilerServices.Unsafe.SizeOf<PollFd>().Should().Be(8);

    [Test]
    public void No_struct_is_unchecked()
    {
        HashSet<string> known = [.. Table.Of(KvmAbiTable.Kind.Struct).Select(item => item.Managed)];

        IEnumerable<string> unchecked_ =
            from type in ManagedLayout.Types()
            where type is { IsValueType: true, IsEnum: false, IsNested: false, IsGenericType: false }
            where !type.IsDefined(typeof(InlineArrayAttribute)) && !s_notOfTheKernel.Contains(type)
            where !known.Contains(type.Name)
            select type.Name;

        unchecked_.Should().BeEmpty();
    }

    [Test]
    public void No_field_is_unchecked()
    {
        HashSet<string> known = [.. Table.Of(KvmAbiTable.Kind.Field).Select(item => $"{item.Owner}.{item.Managed}")];

        IEnumerable<string> unchecked_ =
            from item in Table.Of(KvmAbiTable.Kind.Struct)
            from field in ManagedLayout.Fields(ManagedLayout.Type(item.Managed))
            let name = $"{item.Managed}.{field.Name}"
            where !known.Contains(name)
            select name;

        unchecked_.Should().BeEmpty();
    }

    [Test]
    public void No_request_is_unchecked()
    {
        HashSet<string> known = [.. Table.Of(KvmAbiTable.Kind.Request).Select(item => item.Managed)];

        typeof(KvmRequests).GetFields(BindingFlags.Static | BindingFlags.Public)
            .Select(field => field.Name)
            .Should().BeSubsetOf(known);
    }

    [Test]
    public void No_constant_is_unchecked()
    {
        HashSet<string> known = [.. Table.Of(KvmAbiTable.Kind.Constant).Select(item => $"{item.Owner}.{item.Managed}")];

        IEnumerable<string> unchecked_ =
            from type in ManagedLayout.Types()
            where type.IsEnum || type == typeof(KvmConstants)
            from field in type.GetFields(BindingFlags.Static | BindingFlags.Public)
            where !(type.IsEnum && field.Name == "None" && ManagedLayout.Constant(type.Name, field.Name) == 0)
            let name = $"{type.Name}.{field.Name}"
            where !known.Contains(name)
            select name;

        unchecked_.Should().BeEmpty();
    }

    [Test]
    public void No_generic_element_type_of_an_inline_array_is_unchecked()
    {
        HashSet<string> known = [.. Table.Of(KvmAbiTable.Kind.Struct).Select(item => item.Managed)];

        IEnumerable<string> unchecked_ =
            from item in Table.Of(KvmAbiTable.Kind.Struct)
            from field in ManagedLayout.Fields(ManagedLayout.Type(item.Managed))
            where field.FieldType.IsGenericType
            let element = field.FieldType.GetGenericArguments()[0]
            where !element.IsPrimitive && element != typeof(KvmFpuRegister) && !known.Contains(element.Name)
            select $"{item.Managed}.{field.Name}";

        unchecked_.Should().BeEmpty();
    }

    [Test]
    public void Every_capability_is_named_as_the_kernel_names_it()
    {
        IEnumerable<string> wrong =
            from item in Table.Of(KvmAbiTable.Kind.Constant)
            where item.Owner == nameof(KvmCapability)
            let name = KvmThrow.KernelName(Enum.Parse<KvmCapability>(item.Managed))
            where name != item.Native
            select $"{item.Native} is called {name}";

        wrong.Should().BeEmpty();
    }

    [Test]
    public void Run_page_windows_lie_where_the_kernel_maps_them()
    {
        ManagedLayout.OffsetOf(typeof(KvmRun), nameof(KvmRun.ExitPayload)).Should().Be(32);
        ManagedLayout.OffsetOf(typeof(KvmRun), nameof(KvmRun.SyncRegs)).Should().Be(304);
        CoalescedRing.Capacity.Should().Be(170);
    }
}
