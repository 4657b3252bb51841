// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Tests.Support;

namespace Vmm.Tests.Conformance;

internal sealed class HostTestTableTests
{
    [Test]
    public void Every_test_named_exists() =>
        HostTestTable.Read().SelectMany(row => row.Ours).Where(name => !HostTestTable.IsTest(name)).Should().BeEmpty();

    [Test]
    public void What_has_no_test_has_a_reason() =>
        HostTestTable.Read().Where(row => row.Ours.Count == 0 && row.Reason.Length < 20).Should().BeEmpty();

    [Test]
    public void The_document_is_current() => RepositoryFiles.ShouldBeCurrent("docs/conformance.md", HostTestTable.ToMarkdown());
}
