// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Software;

namespace Vmm.Tests.Software;

/// <summary>Translations pass through the pool one at a time, and no more of them than fit.</summary>
internal sealed class TranslationQueueTests
{
    private readonly List<IThreadPoolWorkItem> _pool = [];
    private readonly List<int> _done = [];

    [SetUp]
    public void Begin()
    {
        _pool.Clear();
        _done.Clear();
    }

    [Test]
    public void The_pool_has_one_item_however_many_translations_wait()
    {
        TranslationQueue queue = new(_pool.Add);

        for (int n = 0; n < 3; n++)
        {
            Add(queue, n).Should().BeTrue();
        }

        _pool.Should().HaveCount(1);
        Turn();
        _done.Should().Equal(0);
        _pool.Should().HaveCount(1, "the next stands in line anew");
        Turn();
        Turn();
        Turn();
        _done.Should().Equal(0, 1, 2);
        _pool.Should().BeEmpty();
        Add(queue, 3);
        Turn();
        _done.Should().Equal(0, 1, 2, 3);
    }

    [Test]
    public void What_does_not_fit_is_refused_until_there_is_room()
    {
        TranslationQueue queue = new(_pool.Add);
        for (int n = 0; n < TranslationQueue.Capacity; n++)
        {
            Add(queue, n).Should().BeTrue();
        }

        Add(queue, -1).Should().BeFalse();
        Turn();

        Add(queue, -2).Should().BeTrue();
    }

    [Test]
    public void What_waits_for_a_VM_that_is_gone_is_forgotten()
    {
        TranslationQueue queue = new(_pool.Add);
        Add(queue, 1);
        queue.Clear();

        Turn();

        _done.Should().BeEmpty();
        _pool.Should().BeEmpty();
    }

    private bool Add(TranslationQueue queue, int number) => queue.TryAdd(() => _done.Add(number));

    private void Turn()
    {
        IThreadPoolWorkItem item = _pool[0];
        _pool.RemoveAt(0);
        item.Execute();
    }
}
