// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

[TestFixture]
internal sealed class TickRateTests
{
    private const long Second = 1_000_000_000;

    [Test]
    public void Ticks_are_exact_over_centuries([Values(1_193_182u, 16_777_216u, 3_579_545u, 32_768u)] uint hertz, [Range(1, 5)] int seed)
    {
        var random = new Random(seed);
        var rate = new TickRate(hertz);
        for (int sample = 0; sample < 1000; sample++)
        {
            // At these rates the ticks of 290 years fit into 63 bits.
            long time = random.NextInt64(long.MaxValue >> random.Next(1, 60));
            rate.TicksAt(time).Should().Be((long)((UInt128)time * hertz / Second));
        }
    }

    [Test]
    public void A_tick_happens_at_its_time_and_not_a_nanosecond_before(
        [Values(1_193_182u, 16_777_216u, 3_579_545u, 32_768u)] uint hertz, [Range(1, 5)] int seed)
    {
        var random = new Random(seed);
        var rate = new TickRate(hertz);
        for (int sample = 0; sample < 1000; sample++)
        {
            long tick = random.NextInt64(-1_000_000_000_000, 1_000_000_000_000);
            long time = rate.TimeOf(tick);
            (rate.TicksAt(time - 1), rate.TicksAt(time), rate.FirstTickAt(time)).Should().Be((tick - 1, tick, tick));
        }
    }

    [Test]
    public void A_tick_beyond_the_range_is_never() => new TickRate(32_768).TimeOf(long.MaxValue).Should().Be(long.MaxValue);
}
