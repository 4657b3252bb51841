// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Emulation.Instructions.Floating;

/// <summary>How to round and what to do about exceptions; and the exceptions that came up.</summary>
internal struct FloatStatus
{
    private const uint DenormalsAreZeroBit = 1 << 6;
    private const uint FlushToZeroBit = 1 << 15;

    internal FloatStatus(uint mxcsr)
    {
        Masks = (FloatFlags)(mxcsr >> 7) & FloatFlags.All;
        Rounding = (RoundingMode)(mxcsr >> 13 & 3);
        DenormalsAreZero = (mxcsr & DenormalsAreZeroBit) != 0;
        FlushesToZero = (mxcsr & FlushToZeroBit) != 0;
        IsDefault = (mxcsr & 0xFFC0) == 0x1F80;

        // Raising it once more would change nothing then, and need not be found out.
        Flags = IsDefault ? (FloatFlags)mxcsr & FloatFlags.Precision : FloatFlags.None;
    }

    internal FloatStatus(RoundingMode rounding, FloatFlags masks)
    {
        Rounding = rounding;
        Masks = masks;
    }

    internal FloatFlags Masks;

    internal FloatFlags Flags;

    internal RoundingMode Rounding;

    /// <summary>Denormal operands count as zeros of their sign (volume 1, section 10.2.3.4).</summary>
    internal bool DenormalsAreZero;

    /// <summary>Tiny results become zeros of their sign while underflow is masked (volume 1, section 10.2.3.3).</summary>
    internal bool FlushesToZero;

    /// <summary>Whether the host's own arithmetic rounds as this does: to nearest, all masked, denormals as they are.</summary>
    internal bool IsDefault;

    /// <summary>The last result was rounded away from zero: C1 of the x87.</summary>
    internal bool RoundedUp;

    internal readonly bool IsMasked(FloatFlags flag) => (Masks & flag) != 0;

    internal void Raise(FloatFlags flags) => Flags |= flags;
}
