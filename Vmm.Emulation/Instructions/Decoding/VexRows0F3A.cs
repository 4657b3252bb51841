// SPDX-License-Identifier: BSD-2-Clause

using static Vmm.Emulation.Instructions.Decoding.Pp;
using static Vmm.Emulation.Instructions.Decoding.Slash;

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>The VEX encodings of the 0F 3A map.</summary>
internal static class VexRows0F3A
{
    internal static readonly OpcodeRow[] All =
    [
        new(P66,    0x00, R,            Operation.Vpermq,            Form.VWIb, Traits.None, Wide.W1L1),
        new(P66,    0x01, R,            Operation.Vpermpd,           Form.VWIb, Traits.None, Wide.W1L1),
        new(P66,    0x02, R,            Operation.Vpblendd,          Form.VHWIb, Traits.None, Wide.W0),
        new(P66,    0x04, R,            Operation.Vpermilps,         Form.VWIb, Traits.None, Wide.W0),
        new(P66,    0x05, R,            Operation.Vpermilpd,         Form.VWIb, Traits.None, Wide.W0),
        new(P66,    0x06, R,            Operation.Vperm2f128,        Form.VHWIb, Traits.None, Wide.W0L1),
        new(P66,    0x08, R,            Operation.Vroundps,          Form.VWIb),
        new(P66,    0x09, R,            Operation.Vroundpd,          Form.VWIb),
        new(P66,    0x0A, R,            Operation.Vroundss,          Form.VHWIb),
        new(P66,    0x0B, R,            Operation.Vroundsd,          Form.VHWIb),
        new(P66,    0x0C, R,            Operation.Vblendps,          Form.VHWIb),
        new(P66,    0x0D, R,            Operation.Vblendpd,          Form.VHWIb),
        new(P66,    0x0E, R,            Operation.Vpblendw,          Form.VHWIb),
        new(P66,    0x0F, R,            Operation.Vpalignr,          Form.VHWIb),
        new(P66,    0x14, R,            Operation.Vpextrb,           Form.EVIb, Traits.None, Wide.L0),
        new(P66,    0x15, R,            Operation.Vpextrw,           Form.EVIb, Traits.None, Wide.L0),
        new(P66,    0x16, R,            Operation.Vpextrd,           Form.EVIb, Traits.None, Wide.W0L0 | Wide.W64),
        new(P66,    0x16, R,            Operation.Vpextrq,           Form.EVIb, Traits.None, Wide.W1L0 | Wide.W64),
        new(P66,    0x17, R,            Operation.Vextractps,        Form.EVIb, Traits.None, Wide.L0),
        new(P66,    0x18, R,            Operation.Vinsertf128,       Form.VHWIb, Traits.None, Wide.W0L1),
        new(P66,    0x19, R,            Operation.Vextractf128,      Form.WVIb, Traits.None, Wide.W0L1),
        new(P66,    0x1D, R,            Operation.Vcvtps2ph,         Form.WVIb, Traits.None, Wide.W0),
        new(P66,    0x20, R,            Operation.Vpinsrb,           Form.VHEIb, Traits.None, Wide.L0),
        new(P66,    0x21, R,            Operation.Vinsertps,         Form.VHWIb, Traits.None, Wide.L0),
        new(P66,    0x22, R,            Operation.Vpinsrd,           Form.VHEIb, Traits.None, Wide.W0L0 | Wide.W64),
        new(P66,    0x22, R,            Operation.Vpinsrq,           Form.VHEIb, Traits.None, Wide.W1L0 | Wide.W64),
        new(P66,    0x30, Reg,          Operation.Kshiftrb,          Form.KKWIb, Traits.None, Wide.W0L0),
        new(P66,    0x30, Reg,          Operation.Kshiftrw,          Form.KKWIb, Traits.None, Wide.W1L0),
        new(P66,    0x31, Reg,          Operation.Kshiftrd,          Form.KKWIb, Traits.None, Wide.W0L0),
        new(P66,    0x31, Reg,          Operation.Kshiftrq,          Form.KKWIb, Traits.None, Wide.W1L0),
        new(P66,    0x32, Reg,          Operation.Kshiftlb,          Form.KKWIb, Traits.None, Wide.W0L0),
        new(P66,    0x32, Reg,          Operation.Kshiftlw,          Form.KKWIb, Traits.None, Wide.W1L0),
        new(P66,    0x33, Reg,          Operation.Kshiftld,          Form.KKWIb, Traits.None, Wide.W0L0),
        new(P66,    0x33, Reg,          Operation.Kshiftlq,          Form.KKWIb, Traits.None, Wide.W1L0),
        new(P66,    0x38, R,            Operation.Vinserti128,       Form.VHWIb, Traits.None, Wide.W0L1),
        new(P66,    0x39, R,            Operation.Vextracti128,      Form.WVIb, Traits.None, Wide.W0L1),
        new(P66,    0x40, R,            Operation.Vdpps,             Form.VHWIb),
        new(P66,    0x41, R,            Operation.Vdppd,             Form.VHWIb, Traits.None, Wide.L0),
        new(P66,    0x42, R,            Operation.Vmpsadbw,          Form.VHWIb),
        new(P66,    0x44, R,            Operation.Vpclmulqdq,        Form.VHWIb),
        new(P66,    0x46, R,            Operation.Vperm2i128,        Form.VHWIb, Traits.None, Wide.W0L1),
        new(P66,    0x4A, R,            Operation.Vblendvps,         Form.VHWL, Traits.None, Wide.W0),
        new(P66,    0x4B, R,            Operation.Vblendvpd,         Form.VHWL, Traits.None, Wide.W0),
        new(P66,    0x4C, R,            Operation.Vpblendvb,         Form.VHWL, Traits.None, Wide.W0),
        new(P66,    0x60, R,            Operation.Vpcmpestrm,        Form.VWIb, Traits.None, Wide.W0L0 | Wide.W64),
        new(P66,    0x60, R,            Operation.Vpcmpestrm64,      Form.VWIb, Traits.None, Wide.W1L0 | Wide.W64),
        new(P66,    0x61, R,            Operation.Vpcmpestri,        Form.VWIb, Traits.None, Wide.W0L0 | Wide.W64),
        new(P66,    0x61, R,            Operation.Vpcmpestri64,      Form.VWIb, Traits.None, Wide.W1L0 | Wide.W64),
        new(P66,    0x62, R,            Operation.Vpcmpistrm,        Form.VWIb, Traits.None, Wide.L0),
        new(P66,    0x63, R,            Operation.Vpcmpistri,        Form.VWIb, Traits.None, Wide.L0),
        new(P66,    0xCE, R,            Operation.Vgf2p8affineqb,    Form.VHWIb, Traits.None, Wide.W1),
        new(P66,    0xCF, R,            Operation.Vgf2p8affineinvqb, Form.VHWIb, Traits.None, Wide.W1),
        new(P66,    0xDE, R,            Operation.Vsm3rnds2,         Form.VHWIb, Traits.None, Wide.W0L0),
        new(P66,    0xDF, R,            Operation.Vaeskeygenassist,  Form.VWIb, Traits.None, Wide.L0),
        new(F2,     0xF0, R,            Operation.Rorx,              Form.GyEyIb, Traits.None, Wide.L0),
    ];
}
