// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Backend;
using Vmm.Abstractions.Time;
using Vmm.Software;
using Vmm.Tests.Support;

namespace Vmm.Tests.Software;

/// <summary>The wait of the timer thread, on the processor in software and on KVM.</summary>
[TestFixture("kvm", Category = "Kvm")]
[TestFixture("software")]
public sealed class PreciseWaitTests(string kind)
{
    private static readonly HostTime s_never = new(long.MaxValue);

    private IHypervisorBackend? _backend;
    private IPreciseWait? _wait;

    private IPreciseWait Wait => _wait!;

    [SetUp]
    public void Create()
    {
        _backend = kind == "kvm" ? KvmRequirement.OpenBackend() : new SoftwareBackend();
        _wait = ((IPreciseWaitProvider)_backend).CreatePreciseWait();
    }

    [TearDown]
    public void Dispose()
    {
        _wait?.Dispose();
        _backend?.Dispose();
    }

    [Test]
    public void A_time_that_has_passed_is_not_waited_for() => Wait.WaitUntil(new HostTime(0));

    [Test]
    public void A_wake_before_the_wait_ends_it_and_only_it()
    {
        Wait.Wake();
        Wait.Wake();
        Wait.WaitUntil(s_never);

        Background second = Background.Start(() => Wait.WaitUntil(s_never));
        Wait.Wake();
        second.Join();
    }
}
