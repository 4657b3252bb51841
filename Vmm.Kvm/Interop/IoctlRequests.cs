// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Kvm.Interop;

/// <summary>A request without an argument, or with an integer by value.</summary>
/// <param name="name">The macro in <c>linux/kvm.h</c>.</param>
/// <param name="number">The number of the request.</param>
/// <param name="capability">The capability it needs, if any.</param>
internal readonly struct IoctlNone(string name, byte number, KvmCapability? capability)
{
    /// <summary>The macro in <c>linux/kvm.h</c>.</summary>
    public string Name { get; } = name;

    /// <summary>The request code.</summary>
    public uint Code { get; } = IoctlCode.Encode(IoctlCode.None, number, 0);

    /// <summary>The capability without which the kernel refuses the request.</summary>
    public KvmCapability? Capability { get; } = capability;
}

/// <summary>A request whose argument the kernel only reads.</summary>
/// <typeparam name="T">The argument, or the head of a variable-size one.</typeparam>
/// <param name="name">The macro in <c>linux/kvm.h</c>.</param>
/// <param name="number">The number of the request.</param>
/// <param name="capability">The capability it needs, if any.</param>
/// <param name="encodedAs">The direction in the code, where the header's differs from what the kernel does.</param>
internal readonly struct IoctlIn<T>(
    string name,
    byte number,
    KvmCapability? capability,
    uint encodedAs = IoctlCode.Write)
    where T : unmanaged
{
    /// <summary>The macro in <c>linux/kvm.h</c>.</summary>
    public string Name { get; } = name;

    /// <summary>The request code.</summary>
    public uint Code { get; } = IoctlCode.Encode(encodedAs, number, Unsafe.SizeOf<T>());

    /// <summary>The capability without which the kernel refuses the request.</summary>
    public KvmCapability? Capability { get; } = capability;
}

/// <summary>A request whose argument the kernel only writes.</summary>
/// <typeparam name="T">The result.</typeparam>
/// <param name="name">The macro in <c>linux/kvm.h</c>.</param>
/// <param name="number">The number of the request.</param>
/// <param name="capability">The capability it needs, if any.</param>
internal readonly struct IoctlOut<T>(string name, byte number, KvmCapability? capability)
    where T : unmanaged
{
    /// <summary>The macro in <c>linux/kvm.h</c>.</summary>
    public string Name { get; } = name;

    /// <summary>The request code.</summary>
    public uint Code { get; } = IoctlCode.Encode(IoctlCode.Read, number, Unsafe.SizeOf<T>());

    /// <summary>The capability without which the kernel refuses the request.</summary>
    public KvmCapability? Capability { get; } = capability;
}

/// <summary>A request whose argument the kernel reads and writes.</summary>
/// <typeparam name="T">The argument, or the head of a variable-size one.</typeparam>
/// <param name="name">The macro in <c>linux/kvm.h</c>.</param>
/// <param name="number">The number of the request.</param>
/// <param name="capability">The capability it needs, if any.</param>
internal readonly struct IoctlInOut<T>(string name, byte number, KvmCapability? capability)
    where T : unmanaged
{
    /// <summary>The macro in <c>linux/kvm.h</c>.</summary>
    public string Name { get; } = name;

    /// <summary>The request code.</summary>
    public uint Code { get; } = IoctlCode.Encode(IoctlCode.Read | IoctlCode.Write, number, Unsafe.SizeOf<T>());

    /// <summary>The capability without which the kernel refuses the request.</summary>
    public KvmCapability? Capability { get; } = capability;
}
