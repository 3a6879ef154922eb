using System.Diagnostics;
using System.Xml.Linq;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>A program outside this repository, built from the packages.</summary>
public sealed class PackageTests : IDisposable
{
    private const string Program =
        """
        using FastLLM;

        await using var cache = new DiskCache(args[0]);
        RequestKey key = RequestKey.Compute("/v1/chat/completions", "{}"u8);
        await cache.PutAsync(key, new CacheEntry("{\"id\":1}"u8.ToArray(), "scope", 200, DateTimeOffset.UnixEpoch));
        CacheEntry? entry = await cache.GetAsync(key);
        Console.WriteLine($"{entry?.Scope} {typeof(JobOptions).Assembly.GetName().Name} {DiskCache.SqliteVersion}");
        """;

    private static readonly string s_root = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", ".."));

    private static readonly string s_configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));

    private readonly string _folder = Directory.CreateTempSubdirectory("fastllm-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact(Timeout = 300_000)]
    public async Task DiskCache_ProgramBuiltFromPackages_Opens()
    {
        string feed = PathOf("feed"), packages = PathOf("packages");
        foreach (string project in (string[])["FastLLM", "FastLLM.Jobs"])
        {
            await DotnetAsync("pack", Path.Combine(s_root, "src", project), "-c", s_configuration, "--no-build", "-o", feed);
        }

        await File.WriteAllTextAsync(PathOf("Program.cs"), Program, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(PathOf("Program.csproj"), Project(feed, packages), TestContext.Current.CancellationToken);
        await DotnetAsync("build", PathOf("Program.csproj"), "-o", PathOf("out"));

        string printed = await DotnetAsync(Path.Combine(PathOf("out"), "Program.dll"), PathOf("cache"));

        Assert.StartsWith("scope FastLLM.Jobs 3.", printed, StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(packages, "fastllm")), "The package of another build was used.");
    }

    // Packages of others come from the folder where the build of this repository has put them: no network is needed.
    private static string Project(string feed, string packages)
    {
        string others = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        var properties = new XElement(
            "PropertyGroup",
            new XElement("OutputType", "Exe"),
            new XElement("TargetFramework", "net10.0"),
            new XElement("ImplicitUsings", "enable"),
            new XElement("Nullable", "enable"),
            new XElement("UseAppHost", "false"),
            new XElement("NuGetAudit", "false"),
            new XElement("RestoreSources", feed),
            new XElement("RestorePackagesPath", packages),
            new XElement("RestoreFallbackFolders", others));
        var references = new XElement("ItemGroup", Reference("FastLLM"), Reference("FastLLM.Jobs"));
        return new XElement("Project", new XAttribute("Sdk", "Microsoft.NET.Sdk"), properties, references).ToString();
    }

    private static XElement Reference(string package) => new("PackageReference", new XAttribute("Include", package), new XAttribute("Version", "*"));

    private string PathOf(string name) => Path.Combine(_folder, name);

    private async Task<string> DotnetAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["MSBUILDDISABLENODEREUSE"] = "1"; // no build server outlives the test
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        string errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(process.ExitCode == 0, $"dotnet {string.Join(' ', arguments)}\n{await output}\n{errors}");
        return await output;
    }
}
