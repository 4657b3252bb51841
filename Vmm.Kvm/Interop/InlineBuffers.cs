// SPDX-License-Identifier: BSD-2-Clause

using System.Runtime.CompilerServices;

namespace Vmm.Kvm.Interop;

/// <summary>2 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(2)]
internal struct InlineBuffer2<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>3 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(3)]
internal struct InlineBuffer3<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>4 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(4)]
internal struct InlineBuffer4<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>5 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(5)]
internal struct InlineBuffer5<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>6 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(6)]
internal struct InlineBuffer6<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>7 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(7)]
internal struct InlineBuffer7<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>8 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(8)]
internal struct InlineBuffer8<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>9 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(9)]
internal struct InlineBuffer9<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>12 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(12)]
internal struct InlineBuffer12<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>14 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(14)]
internal struct InlineBuffer14<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>15 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(15)]
internal struct InlineBuffer15<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>16 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(16)]
internal struct InlineBuffer16<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>24 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(24)]
internal struct InlineBuffer24<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>26 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(26)]
internal struct InlineBuffer26<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>30 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(30)]
internal struct InlineBuffer30<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>31 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(31)]
internal struct InlineBuffer31<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>36 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(36)]
internal struct InlineBuffer36<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>64 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(64)]
internal struct InlineBuffer64<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>120 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(120)]
internal struct InlineBuffer120<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>256 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(256)]
internal struct InlineBuffer256<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>512 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(512)]
internal struct InlineBuffer512<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>1024 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(1024)]
internal struct InlineBuffer1024<T>
    where T : unmanaged
{
    private T _element0;
}

/// <summary>2048 elements in place, as a C array inside a struct.</summary>
/// <typeparam name="T">The element.</typeparam>
[InlineArray(2048)]
internal struct InlineBuffer2048<T>
    where T : unmanaged
{
    private T _element0;
}
