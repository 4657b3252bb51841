// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Cli.Demo;

/// <summary>One thing that the demo checks.</summary>
/// <param name="Name">What.</param>
/// <param name="Passed">Whether it is as it should be.</param>
/// <param name="Found">What was found.</param>
internal readonly record struct DemoCheck(string Name, bool Passed, string Found);
