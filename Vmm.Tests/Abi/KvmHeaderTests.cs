// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Abi;

/// <summary>The committed table against the C headers of this machine.</summary>
[TestFixture]
public sealed class KvmHeaderTests
{
    // The last kernel whose header this project declares in full.
    private static readonly Version s_declared = new(6, 18);

    private readonly KernelHeader _header = new();
    private Version _version = new();

    [OneTimeSetUp]
    public void RequireHeader()
    {
        Version? version = _header.Version(out string reason);
        if (version is null)
        {
            Assert.Ignore(reason);
        }

        _version = version;
    }

    [OneTimeTearDown]
    public void Remove() => _header.Dispose();

    [Test]
    public void The_header_derives_the_same_table()
    {
        IReadOnlyList<KvmAbiTable.Item> items = KvmAbiTable.Instance.Items;
        ulong?[] values = _header.Evaluate([.. items.Select(item => item.Expression())]);
        (KvmAbiTable.Item Item, ulong? Value)[] answers = [.. items.Zip(values)];

        string[] missing = [.. answers.Where(answer => answer.Value is null).Select(answer => Describe(answer.Item))];
        TestContext.Out.WriteLine(
            $"headers of Linux {_version}: {answers.Length - missing.Length} of {answers.Length} items checked, " +
            $"{missing.Length} newer than the headers and not checked here:");
        TestContext.Out.WriteLine(string.Join('\n', missing));

        answers.Where(answer => answer.Value is { } value && value != answer.Item.Value && !HasGrown(answer.Item, value))
            .Select(answer => $"{answer.Item}: {answer.Value} in the header, {answer.Item.Value} in the table")
            .Should().BeEmpty();
        answers.Where(answer => answer.Value is null && !(answer.Item.Since > _version))
            .Select(answer => Describe(answer.Item))
            .Should().BeEmpty("only what the table dates later than the headers may be missing in them");
    }

    [Test]
    public void Every_request_capability_and_exit_reason_of_the_header_is_declared_or_excluded()
    {
        if (_version > s_declared)
        {
            Assert.Ignore($"the headers are of Linux {_version}; the declarations end with {s_declared}");
        }

        HashSet<string> known =
        [
            .. KvmAbiTable.Instance.Items.Select(item => item.Native),
            .. KvmAbiTable.Instance.Excluded.Keys,
        ];

        _header.Macros().Where(macro => !known.Contains(macro)).Should().BeEmpty();
    }

    // A later kernel may add a member at the end of a struct inside a union; what is declared must not have moved.
    private bool HasGrown(KvmAbiTable.Item item, ulong value)
    {
        bool grown = _version > s_declared && item.Kind == KvmAbiTable.Kind.Struct && value > item.Value;
        if (grown)
        {
            TestContext.Out.WriteLine($"{item} has grown from {item.Value} to {value} bytes after Linux {s_declared}");
        }

        return grown;
    }

    private static string Describe(KvmAbiTable.Item item) => $"{item} (Linux {item.Since?.ToString() ?? "6.1 or older"})";
}
