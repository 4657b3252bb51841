// SPDX-License-Identifier: BSD-2-Clause

using Vmm.Abstractions.Errors;

namespace Vmm.Tests.Support;

/// <summary>Asserts refusals by their error.</summary>
internal static class ErrorAssertions
{
    /// <summary>Asserts that an action is refused with an error.</summary>
    public static VmmException ShouldFail(this Action action, VmmError error, string because = "") =>
        action.Should().Throw<VmmException>(because).Where(exception => exception.Error == error, because).Which;
}
