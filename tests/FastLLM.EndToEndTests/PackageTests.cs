using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Xml.Linq;
using Xunit;

namespace FastLLM.EndToEndTests;

/// <summary>Programs outside this repository, built from the packages.</summary>
public sealed class PackageTests(PackageFeed feed) : IClassFixture<PackageFeed>
{
    // Uses something of every package, so that the trimmer and the compiler see all of it.
    private const string Program =
        """"
        using FastLLM;
        using FastLLM.Simulator;
        using Microsoft.Extensions.AI;
        using Microsoft.Extensions.Configuration;
        using Microsoft.Extensions.DependencyInjection;

        await using (var cache = new DiskCache(args[0]))
        {
            RequestKey key = RequestKey.Compute("/v1/chat/completions", "{}"u8);
            await cache.PutAsync(key, new CacheEntry("{\"id\":1}"u8.ToArray(), "scope", 200, DateTimeOffset.UnixEpoch));
            CacheEntry? entry = await cache.GetAsync(key);
            Console.WriteLine($"cache: {entry?.Scope} {DiskCache.SqliteVersion}");
        }

        await using SimulatorServer simulator = await SimulatorServer.StartAsync();
        IConfiguration configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ApiKey"] = "key", ["ApiBase"] = simulator.ApiBase, ["ChatModel"] = "m", ["EmbeddingModel"] = "e", ["Cache:Directory"] = args[0],
        }).Build();
        var services = new ServiceCollection();
        services.AddFastLLM(configuration).UseHttpClient();
        services.AddHealthChecks().AddFastLLM();
        await using ServiceProvider container = services.BuildServiceProvider();
        Console.WriteLine($"chat: {(await container.GetRequiredService<IChatClient>().GetResponseAsync("Hello")).Text}");
        await using (var manager = new RequestManager(new OpenAIProvider("key", simulator.ApiBase)))
        {
            var options = new JobOptions { Input = args[1], Output = args[1] + ".xlsx", Template = new RowTemplate { Prompt = "Hello {{name}}" }, Model = "m", Answers = AnswerForm.OfLabels(["a", "b"]) };
            Console.WriteLine($"job: {(await Job.RunAsync(manager, options)).Answered}");
            try
            {
                options.Output = args[1] + ".parquet";
                await Job.RunAsync(manager, options);
            }
            catch (ArgumentException e)
            {
                Console.WriteLine(e.Message);
            }
        }

        try
        {
            await PostgresCache.OpenAsync("Host=127.0.0.1;Port=1;Username=nobody;Database=none");
        }
        catch (IOException)
        {
            Console.WriteLine("cluster: no server");
        }

        Console.WriteLine($"vector: {(await container.GetRequiredService<IEmbeddingGenerator<string, Embedding<float>>>().GenerateVectorAsync("a")).Length}");
        """";

    [Fact(Timeout = 300_000)]
    public async Task Program_CompiledAheadOfTimeFromPackages_RunsWithoutWarning()
    {
        Directory.CreateDirectory(feed.PathOf("program"));
        await File.WriteAllTextAsync(feed.PathOf("program/Program.cs"), Program, TestContext.Current.CancellationToken);
        XElement project = feed.Project(
            ("PublishAot", "true"), ("TreatWarningsAsErrors", "true"), ("TrimmerSingleWarn", "false"), ("InvariantGlobalization", "true"));
        await File.WriteAllTextAsync(feed.PathOf("program/Program.csproj"), project.ToString(), TestContext.Current.CancellationToken);

        // Without optimization, which takes most of the time: warnings are the same.
        string built = await feed.DotnetAsync("publish", feed.PathOf("program/Program.csproj"), "-c", "Debug", "-r", RuntimeInformation.RuntimeIdentifier, "-o", feed.PathOf("out"));
        string table = feed.PathOf("names.csv");
        await File.WriteAllTextAsync(table, "name\nAnn\nBob\n", TestContext.Current.CancellationToken);
        string printed = await feed.RunAsync(Path.Combine(feed.PathOf("out"), "Program"), feed.PathOf("cache"), table);

        Assert.DoesNotContain("warning", built, StringComparison.OrdinalIgnoreCase);
        Assert.False(File.Exists(Path.Combine(feed.PathOf("out"), "Program.dll")), "Not compiled ahead of time.");
        Assert.StartsWith("cache: scope 3.", printed, StringComparison.Ordinal);
        Assert.Contains(": Hello\njob: 2\n", printed, StringComparison.Ordinal);
        Assert.Contains("Parquet files are not supported by this program", printed, StringComparison.Ordinal);
        Assert.Contains("cluster: no server\n", printed, StringComparison.Ordinal);
        Assert.EndsWith("vector: 8\n", printed, StringComparison.Ordinal);
        Assert.True(Directory.Exists(Path.Combine(feed.Packages, "fastllm")), "The package of another build was used.");
    }

    [Fact(Timeout = 300_000)]
    public async Task Tool_InstalledFromPackage_Runs()
    {
        string tools = feed.PathOf("tools");
        await feed.DotnetAsync("tool", "install", "FastLLM.Cli", "--tool-path", tools, "--source", feed.Feed, "--version", "*");
        await File.WriteAllTextAsync(feed.PathOf("rows.jsonl"), """{"model":"m","messages":[{"role":"user","content":"row"}]}""" + "\n", TestContext.Current.CancellationToken);

        await feed.RunAsync(Path.Combine(tools, "fastllm"), "run", "rows.jsonl", "--provider", "simulator");

        Assert.Contains("\"error\":null", await File.ReadAllTextAsync(feed.PathOf("rows.out.jsonl"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("FastLLM", "lib/net10.0/FastLLM")]
    [InlineData("FastLLM.Jobs", "lib/net10.0/FastLLM.Jobs")]
    [InlineData("FastLLM.Cluster", "lib/net10.0/FastLLM.Cluster")]
    [InlineData("FastLLM.Extensions.AI", "lib/net10.0/FastLLM.Extensions.AI")]
    [InlineData("FastLLM.Simulator", "lib/net10.0/FastLLM.Simulator")]
    [InlineData("FastLLM.Cli", null)]
    public void Package_HasWhatUsersNeed(string package, string? library)
    {
        using ZipArchive archive = ZipFile.OpenRead(Directory.GetFiles(feed.Feed, $"{package}.*.nupkg").Single(path => char.IsAsciiDigit(Path.GetFileName(path)[package.Length + 1])));
        string[] files = [.. archive.Entries.Select(entry => entry.FullName)];

        Assert.Empty(((string[])["README.md", "icon.png", $"{package}.nuspec"]).Except(files));
        using Stream stream = archive.GetEntry($"{package}.nuspec")!.Open();
        XElement metadata = XDocument.Load(stream).Root!.Elements().First();
        string Text(string name) => metadata.Elements().Single(element => element.Name.LocalName == name).Value;
        Assert.Equal(("MIT", "README.md", "icon.png"), (Text("license"), Text("readme"), Text("icon")));
        Assert.NotEmpty(Text("description"));
        Assert.Matches("^[0-9a-f]{40}$", metadata.Elements().Single(element => element.Name.LocalName == "repository").Attribute("commit")!.Value);
        if (library is not null)
        {
            Assert.Empty(((string[])[$"{library}.dll", $"{library}.xml"]).Except(files));
            using ZipArchive symbols = ZipFile.OpenRead(Directory.GetFiles(feed.Feed, $"{package}.*.snupkg").Single(path => char.IsAsciiDigit(Path.GetFileName(path)[package.Length + 1])));
            Assert.NotNull(symbols.GetEntry($"{library}.pdb"));
        }
    }
}
