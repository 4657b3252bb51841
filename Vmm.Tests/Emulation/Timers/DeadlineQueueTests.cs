// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Emulation.Timers;

namespace Vmm.Tests.Emulation.Timers;

[TestFixture]
internal sealed class DeadlineQueueTests
{
    [Test]
    public void Nothing_armed_is_never_due()
    {
        var queue = new DeadlineQueue();
        Deadline deadline = queue.Create(new RecordingDeadlines(), 0);

        queue.NextDue.Should().Be(long.MaxValue);
        deadline.IsArmed.Should().BeFalse();
    }

    [Test]
    public void Deadlines_are_reported_earliest_first_and_not_before_their_time()
    {
        var queue = new DeadlineQueue();
        var handler = new RecordingDeadlines();
        queue.Arm(queue.Create(handler, 1), 300);
        queue.Arm(queue.Create(handler, 2), 100);
        queue.Arm(queue.Create(handler, 3), 301);
        queue.Arm(queue.Create(handler, 4), 200);

        queue.RunDue(300);

        handler.Reports.Should().Equal((2, 300), (4, 300), (1, 300));
        queue.NextDue.Should().Be(301);
    }

    [Test]
    public void Equal_deadlines_are_reported_in_the_order_of_arming()
    {
        var queue = new DeadlineQueue();
        var handler = new RecordingDeadlines();
        Deadline[] deadlines = [.. Enumerable.Range(0, 20).Select(timer => queue.Create(handler, timer))];
        int[] order = [.. Enumerable.Range(0, 20).Select(position => position * 7 % 20)];
        Array.ForEach(order, timer => queue.Arm(deadlines[timer], 5));

        queue.RunDue(5);

        handler.Reports.Select(report => report.Timer).Should().Equal(order);
    }

    [Test]
    public void Rearming_moves_a_deadline_and_never_reports_its_old_time()
    {
        var queue = new DeadlineQueue();
        var handler = new RecordingDeadlines();
        Deadline deadline = queue.Create(handler, 0);
        queue.Arm(deadline, 100);
        queue.Arm(deadline, 200);

        queue.RunDue(199);

        handler.Reports.Should().BeEmpty();
        deadline.Due.Should().Be(200);
    }

    [Test]
    public void A_disarmed_deadline_is_not_reported()
    {
        var queue = new DeadlineQueue();
        var handler = new RecordingDeadlines();
        Deadline deadline = queue.Create(handler, 0);
        queue.Arm(deadline, 100);
        queue.Disarm(deadline);

        queue.RunDue(1000);

        handler.Reports.Should().BeEmpty();
        queue.NextDue.Should().Be(long.MaxValue);
    }

    [Test]
    public void Arming_for_never_disarms()
    {
        var queue = new DeadlineQueue();
        Deadline deadline = queue.Create(new RecordingDeadlines(), 0);
        queue.Arm(deadline, 100);
        queue.Arm(deadline, long.MaxValue);

        deadline.IsArmed.Should().BeFalse();
    }

    [Test]
    public void A_handler_that_arms_for_the_past_does_not_hold_the_caller()
    {
        var queue = new DeadlineQueue();
        var handler = new RecordingDeadlines();
        Deadline deadline = queue.Create(handler, 0);
        handler.OnReached = (_, _) => queue.Arm(deadline, 0);
        queue.Arm(deadline, 0);

        queue.RunDue(10);

        handler.Reports.Should().HaveCount(1);
        queue.NextDue.Should().Be(0);
    }

    [Test]
    public void A_handler_may_disarm_a_deadline_due_at_the_same_time()
    {
        var queue = new DeadlineQueue();
        var handler = new RecordingDeadlines();
        Deadline first = queue.Create(handler, 1);
        Deadline second = queue.Create(handler, 2);
        handler.OnReached = (_, _) => queue.Disarm(second);
        queue.Arm(first, 5);
        queue.Arm(second, 5);

        queue.RunDue(5);

        handler.Reports.Should().Equal((1, 5));
    }

    [Test]
    public void The_waker_hears_only_of_an_earlier_time()
    {
        var heard = new List<long>();
        var queue = new DeadlineQueue(heard.Add);
        var handler = new RecordingDeadlines();
        Deadline first = queue.Create(handler, 0);
        Deadline second = queue.Create(handler, 1);
        queue.Arm(first, 100);
        queue.Arm(second, 150);
        queue.Arm(second, 50);
        queue.Arm(second, 60);
        queue.Disarm(second);

        heard.Should().Equal(100, 50);
    }

    [Test]
    public void A_deadline_of_another_queue_is_refused()
    {
        Deadline foreign = new DeadlineQueue().Create(new RecordingDeadlines(), 0);
        Action arm = () => new DeadlineQueue().Arm(foreign, 1);

        arm.Should().Throw<ArgumentException>();
    }

    [Test]
    public void Random_runs_agree_with_a_sorted_list([Range(1, 20)] int seed)
    {
        var random = new Random(seed);
        var queue = new DeadlineQueue();
        var handler = new RecordingDeadlines();
        Deadline[] deadlines = [.. Enumerable.Range(0, 40).Select(timer => queue.Create(handler, timer))];
        var model = new List<(long Due, int Order, int Timer)>();
        for (int step = 0; step < 2000; step++)
        {
            int timer = random.Next(deadlines.Length);
            long due = random.Next(50);
            switch (random.Next(4))
            {
                case 0:
                    queue.Disarm(deadlines[timer]);
                    model.RemoveAll(entry => entry.Timer == timer);
                    break;
                case 1:
                    handler.Reports.Clear();
                    queue.RunDue(due);
                    var expected = model.Where(entry => entry.Due <= due).Order().ToList();
                    model.RemoveAll(entry => entry.Due <= due);
                    handler.Reports.Select(report => report.Timer).Should().Equal(expected.Select(entry => entry.Timer));
                    break;
                default:
                    queue.Arm(deadlines[timer], due);
                    model.RemoveAll(entry => entry.Timer == timer);
                    model.Add((due, step, timer));
                    break;
            }

            queue.NextDue.Should().Be(model.Count == 0 ? long.MaxValue : model.Min(entry => entry.Due));
        }
    }

    [Test]
    public void Threads_that_arm_disarm_and_run_at_once_leave_the_queue_whole()
    {
        var queue = new DeadlineQueue();
        var handler = new AtomicHandler();
        Deadline[] deadlines = [.. Enumerable.Range(0, 64).Select(timer => queue.Create(handler, timer))];
        long armed = 0;
        Parallel.For(0, 4, worker =>
        {
            var random = new Random(worker);
            for (int step = 0; step < 20_000; step++)
            {
                Deadline deadline = deadlines[random.Next(deadlines.Length)];
                switch (random.Next(3))
                {
                    case 0:
                        queue.Arm(deadline, random.Next(1000));
                        Interlocked.Increment(ref armed);
                        break;
                    case 1:
                        queue.Disarm(deadline);
                        break;
                    default:
                        queue.RunDue(random.Next(1000));
                        break;
                }
            }
        });
        queue.RunDue(1000);

        queue.NextDue.Should().Be(long.MaxValue);
        deadlines.Should().OnlyContain(deadline => !deadline.IsArmed);
        handler.Count.Should().BeInRange(1, armed);
    }

    [Test]
    public void Arming_and_running_allocate_nothing()
    {
        var queue = new DeadlineQueue();
        var handler = new CountingHandler();
        Deadline[] deadlines = [.. Enumerable.Range(0, 32).Select(timer => queue.Create(handler, timer))];
        Cycle(queue, deadlines, 0);

        long before = GC.GetAllocatedBytesForCurrentThread();
        Cycle(queue, deadlines, 100);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        allocated.Should().Be(0);
        handler.Count.Should().Be(64);
    }

    [Test]
    public void The_clock_stops_at_each_deadline_on_its_way()
    {
        var clock = new ManualClock();
        var handler = new RecordingDeadlines();
        Deadline deadline = clock.Deadlines.Create(handler, 0);
        handler.OnReached = (_, now) => clock.Deadlines.Arm(deadline, now + 7);
        clock.Deadlines.Arm(deadline, 7);

        clock.Advance(7_000_006);

        handler.Reports.Should().HaveCount(1_000_000);
        handler.Reports[^1].Now.Should().Be(7_000_000);
        clock.Now.Should().Be(7_000_006);
    }

    [Test]
    public void A_jump_of_the_clock_reports_late_and_once()
    {
        var clock = new ManualClock();
        var handler = new RecordingDeadlines();
        Deadline deadline = clock.Deadlines.Create(handler, 0);
        clock.Deadlines.Arm(deadline, 7);

        clock.Jump(1_000);

        handler.Reports.Should().Equal((0, 1_000L));
    }

    private static void Cycle(DeadlineQueue queue, Deadline[] deadlines, long start)
    {
        for (int timer = 0; timer < deadlines.Length; timer++)
        {
            queue.Arm(deadlines[timer], start + (timer * 13 % 32));
        }

        queue.RunDue(start + 32);
    }

    private sealed class AtomicHandler : IDeadlineHandler
    {
        private long _count;

        public long Count => Interlocked.Read(ref _count);

        public void DeadlineReached(int timer, long now) => Interlocked.Increment(ref _count);
    }

    private sealed class CountingHandler : IDeadlineHandler
    {
        public int Count { get; private set; }

        public void DeadlineReached(int timer, long now) => Count++;
    }
}
