// SPDX-License-Identifier: BSD-2-Clause

using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;
using Vmm.Tests.Support;

namespace Vmm.Tests.Architecture;

/// <summary>The layers point one way: what each project may see, as the project files and the compiled assemblies say.</summary>
public sealed class DependencyTests
{
    private const string BannedTypePrefix = "T:";

    [TestCase("Vmm.Abstractions")]
    [TestCase("Vmm.Kvm", "Vmm.Abstractions")]
    [TestCase("Vmm.Emulation", "Vmm.Abstractions")]
    [TestCase("Vmm.Software", "Vmm.Abstractions", "Vmm.Emulation")]
    [TestCase("Vmm.Engine", "Vmm.Abstractions", "Vmm.Emulation")]
    [TestCase("Vmm.Machine", "Vmm.Abstractions", "Vmm.Emulation", "Vmm.Engine")]
    public void Project_sees_only_the_layers_below_it(string project, params string[] allowed)
    {
        ProjectReferences(project).Should().BeSubsetOf(allowed);
        AssemblyReferences(project).Where(name => name.StartsWith("Vmm.", StringComparison.Ordinal))
            .Should().BeSubsetOf(allowed);
    }

    [TestCase("Vmm.Abstractions")]
    [TestCase("Vmm.Emulation")]
    public void Project_uses_no_library_but_the_base_library(string project)
    {
        string[] libraries = [.. AssemblyReferences(project).Where(name => !IsOurs(name) && !IsOfTheBaseLibrary(name))];

        libraries.Should().BeEmpty();
    }

    [Test]
    public void Logging_stays_out_of_the_contracts()
    {
        AssemblyReferences("Vmm.Abstractions").Should().NotContain("Serilog");
    }

    [Test]
    public void Emulation_uses_no_type_that_leads_to_the_host()
    {
        string[] banned = [.. BannedTypes()];

        banned.Should().Contain(["System.IO.File", "System.Threading.Thread", "System.Diagnostics.Stopwatch"]);
        TypeReferences("Vmm.Emulation").Should().NotIntersectWith(banned);
    }

    [Test]
    public void Emulation_is_compiled_with_the_list_of_banned_symbols()
    {
        XDocument project = Project("Vmm.Emulation");

        Included(project, "AdditionalFiles").Should().Contain("BannedSymbols.txt");
        Included(project, "PackageReference").Should().Contain("Microsoft.CodeAnalysis.BannedApiAnalyzers");
    }

    [Test]
    public void Only_the_backends_allow_unsafe_code()
    {
        string[] libraries = ["Vmm.Abstractions", "Vmm.Emulation", "Vmm.Engine", "Vmm.Machine", "Vmm.Cli"];

        libraries.Where(name => Project(name).Descendants("AllowUnsafeBlocks").Any()).Should().BeEmpty();
    }

    [Test]
    public void Software_backend_has_pointers_in_its_interop_folder_only()
    {
        string folder = RepositoryFiles.PathOf("Vmm.Software");
        string[] files =
        [
            .. Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
                .Select(file => Path.GetRelativePath(folder, file))
                .Where(file => !file.StartsWith("obj", StringComparison.Ordinal) && !file.StartsWith("bin", StringComparison.Ordinal)),
        ];

        files.Should().Contain(Path.Combine("Interop", "HostMemory.cs"));
        files.Where(file => !file.StartsWith("Interop", StringComparison.Ordinal))
            .Where(file => File.ReadAllText(Path.Combine(folder, file)).Contains("unsafe", StringComparison.Ordinal))
            .Should().BeEmpty();
    }

    private static XDocument Project(string name) =>
        XDocument.Load(RepositoryFiles.PathOf(Path.Combine(name, $"{name}.csproj")));

    private static IEnumerable<string> Included(XDocument project, string item) =>
        project.Descendants(item).Select(element => element.Attribute("Include")!.Value);

    private static IEnumerable<string> ProjectReferences(string name) =>
        Included(Project(name), "ProjectReference")
            .Select(path => Path.GetFileNameWithoutExtension(path.Replace('\\', '/')));

    private static IEnumerable<string> AssemblyReferences(string name) =>
        Assembly.Load(name).GetReferencedAssemblies().Select(reference => reference.Name!);

    private static bool IsOurs(string name) => name.StartsWith("Vmm.", StringComparison.Ordinal);

    private static bool IsOfTheBaseLibrary(string name) =>
        File.Exists(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, $"{name}.dll"));

    private static IEnumerable<string> BannedTypes() =>
        File.ReadLines(RepositoryFiles.PathOf("Vmm.Emulation/BannedSymbols.txt"))
            .Where(line => line.StartsWith(BannedTypePrefix, StringComparison.Ordinal))
            .Select(line => line[BannedTypePrefix.Length..].Split(';')[0]);

    private static List<string> TypeReferences(string name)
    {
        using PEReader image = new(File.OpenRead(Assembly.Load(name).Location));
        MetadataReader metadata = image.GetMetadataReader();
        return [.. metadata.TypeReferences
            .Select(metadata.GetTypeReference)
            .Select(type => $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}")];
    }
}
