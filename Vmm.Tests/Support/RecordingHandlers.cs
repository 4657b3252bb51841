// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.IoPorts;
using Vmm.Abstractions.Memory;
using Vmm.Abstractions.Msr;
using Vmm.Abstractions.Vcpu;

namespace Vmm.Tests.Support;

/// <summary>A port handler made of two functions, which records what it was asked.</summary>
internal sealed class FakePort : IPortHandler
{
    public List<(bool IsIn, ushort Port, int Bytes, uint Value)> Accesses { get; } = [];

    /// <summary>Values for reads, in order; the last one stays.</summary>
    public Queue<uint> Values { get; } = new([0]);

    public Func<PortOutcome> Outcome { get; set; } = () => PortOutcome.Handled;

    /// <summary>Runs inside each access.</summary>
    public Action<IVirtualCpu>? During { get; set; }

    public PortOutcome Read(IVirtualCpu vcpu, ushort port, int bytes, out uint value)
    {
        During?.Invoke(vcpu);
        value = Values.Count > 1 ? Values.Dequeue() : Values.Peek();
        Accesses.Add((true, port, bytes, value));
        return Outcome();
    }

    public PortOutcome Write(IVirtualCpu vcpu, ushort port, int bytes, uint value)
    {
        During?.Invoke(vcpu);
        Accesses.Add((false, port, bytes, value));
        return Outcome();
    }
}

/// <summary>A memory-mapped register file that records what it was asked.</summary>
internal sealed class FakeMmio : IMmioHandler
{
    public List<(bool IsRead, ulong Offset, int Bytes, ulong Value)> Accesses { get; } = [];

    public ulong Value { get; set; }

    public ulong Read(IVirtualCpu vcpu, ulong offset, int bytes)
    {
        Accesses.Add((true, offset, bytes, Value));
        return Value;
    }

    public void Write(IVirtualCpu vcpu, ulong offset, int bytes, ulong value) =>
        Accesses.Add((false, offset, bytes, value));
}

/// <summary>MSRs with one value and one outcome, which record what they were asked.</summary>
internal sealed class FakeMsrs : IMsrHandler
{
    public List<(bool IsWrite, uint Index, ulong Value)> Accesses { get; } = [];

    public ulong Value { get; set; }

    public MsrOutcome Outcome { get; set; }

    public MsrOutcome Read(IVirtualCpu vcpu, MsrIndex index, out ulong value)
    {
        value = Value;
        Accesses.Add((false, index.Value, value));
        return Outcome;
    }

    public MsrOutcome Write(IVirtualCpu vcpu, MsrIndex index, ulong value)
    {
        Accesses.Add((true, index.Value, value));
        return Outcome;
    }
}
