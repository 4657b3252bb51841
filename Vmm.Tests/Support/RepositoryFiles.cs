// SPDX-License-Identifier: BSD-2-Clause

namespace Vmm.Tests.Support;

/// <summary>Finds files of the repository that tests compare with what the code says.</summary>
internal static class RepositoryFiles
{
    /// <summary>Rewrites a generated document instead of comparing it, when this variable is 1.</summary>
    private const string UpdateVariable = "VMM_UPDATE_GENERATED";

    /// <summary>Whether generated documents are to be rewritten.</summary>
    public static bool MayUpdate => Environment.GetEnvironmentVariable(UpdateVariable) == "1";

    public static string Root { get; } = FindRoot();

    public static string PathOf(string relative) => Path.Combine(Root, relative);

    /// <summary>Asserts that a generated file is current.</summary>
    public static void ShouldBeCurrent(string relative, string generated)
    {
        string path = PathOf(relative);
        if (MayUpdate)
        {
            File.WriteAllText(path, generated);
        }

        string committed = File.Exists(path) ? File.ReadAllText(path) : "";
        committed.Should().Be(
            generated, $"{relative} is generated: run the tests once with {UpdateVariable}=1 and commit the result");
    }

    private static string FindRoot()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (File.Exists(Path.Combine(at.FullName, "Vmm.sln")))
            {
                return at.FullName;
            }
        }

        throw new InvalidOperationException("the tests run outside the repository: Vmm.sln is not above them");
    }
}
