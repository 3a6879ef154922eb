using System.Diagnostics;
using System.Xml.Linq;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>A folder with the packages of this build, packed once for all tests of a class.</summary>
public sealed class PackageFeed : IAsyncLifetime
{
    /// <summary>The packages, without the command.</summary>
    public static readonly string[] Libraries = ["FastLLM", "FastLLM.Jobs", "FastLLM.Cluster", "FastLLM.Extensions.AI", "FastLLM.Simulator"];

    private static readonly string s_root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", ".."));

    private static readonly string s_configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));

    private static readonly string s_others = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
        ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;

    public string Feed => PathOf("feed");

    /// <summary>Where packages of this build are unpacked for programs.</summary>
    public string Packages => PathOf("packages");

    public string PathOf(string name) => Path.Combine(_folder, name);

    public async ValueTask InitializeAsync()
    {
        // One process for all: each start of MSBuild takes seconds.
        IEnumerable<XElement> projects = Libraries.Append("FastLLM.Cli").Select(name => new XElement("Projects", new XAttribute("Include", Path.Combine(s_root, "src", name, name + ".csproj"))));
        var pack = new XElement(
            "Project",
            new XElement("ItemGroup", projects),
            new XElement("Target", new XAttribute("Name", "Pack"), new XElement(
                "MSBuild", new XAttribute("Projects", "@(Projects)"), new XAttribute("Targets", "Pack"), new XAttribute("BuildInParallel", "true"),
                new XAttribute("Properties", $"Configuration={s_configuration};NoBuild=true;PackageOutputPath={Feed}"))));
        Directory.CreateDirectory(PathOf("pack"));
        await File.WriteAllTextAsync(PathOf("pack/pack.proj"), pack.ToString());
        await DotnetAsync("msbuild", PathOf("pack/pack.proj"), "-t:Pack", "-m", "-v:q", "-nologo");
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return default;
    }

    /// <summary>A project outside this repository. Packages of others come from the folder where the build of this repository has put them: no network
    /// is needed.</summary>
    public XElement Project(params (string Name, string Value)[] properties) => new(
        "Project",
        new XAttribute("Sdk", "Microsoft.NET.Sdk"),
        new XElement(
            "PropertyGroup",
            new XElement("OutputType", "Exe"),
            new XElement("TargetFramework", "net10.0"),
            new XElement("ImplicitUsings", "enable"),
            new XElement("Nullable", "enable"),
            new XElement("NuGetAudit", "false"),
            new XElement("RestoreSources", Feed),
            new XElement("RestorePackagesPath", Packages),
            new XElement("RestoreFallbackFolders", s_others),
            properties.Select(property => new XElement(property.Name, property.Value))),
        new XElement("ItemGroup", Libraries.Select(package =>
            new XElement("PackageReference", new XAttribute("Include", package), new XAttribute("Version", "*")))));

    public Task<string> DotnetAsync(params string[] arguments) => RunAsync("dotnet", arguments);

    /// <summary>Runs a program in the folder, which must succeed.</summary>
    /// <returns>What it printed.</returns>
    public async Task<string> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1"; // no build server outlives the test
        start.Environment["XDG_CACHE_HOME"] = PathOf("caches");
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}\n{await output}\n{errors}");
        return await output;
    }
}
