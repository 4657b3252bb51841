// SPDX-License-Identifier: BSD-2-Clause

using static Vmm.Emulation.Instructions.Decoding.Pp;
using static Vmm.Emulation.Instructions.Decoding.Slash;

namespace Vmm.Emulation.Instructions.Decoding;

/// <summary>The MMX, SSE, AES, SHA and GFNI encodings of the 0F 3A map.</summary>
internal static class VectorRows0F3A
{
    internal static readonly OpcodeRow[] All =
    [
        new(P66,    0x08, R,            Operation.Roundps,           Form.VWIb),
        new(P66,    0x09, R,            Operation.Roundpd,           Form.VWIb),
        new(P66,    0x0A, R,            Operation.Roundss,           Form.VWIb),
        new(P66,    0x0B, R,            Operation.Roundsd,           Form.VWIb),
        new(P66,    0x0C, R,            Operation.Blendps,           Form.VWIb),
        new(P66,    0x0D, R,            Operation.Blendpd,           Form.VWIb),
        new(P66,    0x0E, R,            Operation.Pblendw,           Form.VWIb),
        new(NP,     0x0F, R,            Operation.Palignr,           Form.PQIb),
        new(P66,    0x0F, R,            Operation.Palignr,           Form.VWIb),
        new(P66,    0x14, R,            Operation.Pextrb,            Form.EVIb),
        new(P66,    0x15, R,            Operation.Pextrw,            Form.EVIb),
        new(P66,    0x16, R,            Operation.Pextrd,            Form.EVIb, Traits.None, Wide.W0),
        new(P66,    0x16, R,            Operation.Pextrq,            Form.EVIb, Traits.None, Wide.W1),
        new(P66,    0x17, R,            Operation.Extractps,         Form.EVIb),
        new(P66,    0x20, R,            Operation.Pinsrb,            Form.VEIb),
        new(P66,    0x21, R,            Operation.Insertps,          Form.VWIb),
        new(P66,    0x22, R,            Operation.Pinsrd,            Form.VEIb, Traits.None, Wide.W0),
        new(P66,    0x22, R,            Operation.Pinsrq,            Form.VEIb, Traits.None, Wide.W1),
        new(P66,    0x40, R,            Operation.Dpps,              Form.VWIb),
        new(P66,    0x41, R,            Operation.Dppd,              Form.VWIb),
        new(P66,    0x42, R,            Operation.Mpsadbw,           Form.VWIb),
        new(P66,    0x44, R,            Operation.Pclmulqdq,         Form.VWIb),
        new(P66,    0x60, R,            Operation.Pcmpestrm,         Form.VWIb, Traits.None, Wide.W0),
        new(P66,    0x60, R,            Operation.Pcmpestrm64,       Form.VWIb, Traits.None, Wide.W1),
        new(P66,    0x61, R,            Operation.Pcmpestri,         Form.VWIb, Traits.None, Wide.W0),
        new(P66,    0x61, R,            Operation.Pcmpestri64,       Form.VWIb, Traits.None, Wide.W1),
        new(P66,    0x62, R,            Operation.Pcmpistrm,         Form.VWIb),
        new(P66,    0x63, R,            Operation.Pcmpistri,         Form.VWIb),
        new(NP,     0xCC, R,            Operation.Sha1rnds4,         Form.VWIb),
        new(P66,    0xCE, R,            Operation.Gf2p8affineqb,     Form.VWIb),
        new(P66,    0xCF, R,            Operation.Gf2p8affineinvqb,  Form.VWIb),
        new(P66,    0xDF, R,            Operation.Aeskeygenassist,   Form.VWIb),
    ];
}
