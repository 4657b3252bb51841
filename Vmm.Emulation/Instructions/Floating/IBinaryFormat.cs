// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>An interchange format with a hidden integer bit; a type, so that arithmetic is compiled for it.</summary>
internal interface IBinaryFormat
{
    static abstract int Width { get; }

    static abstract FloatFormat Format { get; }
}

/// <summary>16 bits, for F16C.</summary>
internal readonly struct Half16 : IBinaryFormat
{
    public static int Width => 16;

    public static FloatFormat Format => new(11, 15);
}

/// <summary>32 bits.</summary>
internal readonly struct Single32 : IBinaryFormat
{
    public static int Width => 32;

    public static FloatFormat Format => FloatFormat.Single;
}

/// <summary>64 bits.</summary>
internal readonly struct Double64 : IBinaryFormat
{
    public static int Width => 64;

    public static FloatFormat Format => FloatFormat.Double;
}
