using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace FastLLM.Benchmarks.Serving;

/// <summary>The command-line tool as a program of its own: as this build made it, or published.</summary>
internal static class Tool
{
    private const string Name = "FastLLM.Cli";

    /// <summary>Gets what this build made, which lies beside this program's folder.</summary>
    public static string Built { get; } = Existing(Path.Combine(
        AppContext.BaseDirectory, "..", "..", Name, new DirectoryInfo(AppContext.BaseDirectory).Name, Executable));

    private static string Executable => OperatingSystem.IsWindows() ? "fastllm.exe" : "fastllm";

    /// <summary>Publishes the tool as it is released.</summary>
    /// <returns>The program.</returns>
    public static async Task<string> PublishAsync(string folder)
    {
        string project = Path.Combine(Root, "src", Name);
        using Process publish = Process.Start(new ProcessStartInfo("dotnet")
        {
            ArgumentList = { "publish", project, "-c", "Release", "-r", RuntimeInformation.RuntimeIdentifier, "--self-contained", "false", "-o", folder, "-v", "quiet", "--nologo" },
        })!;
        await publish.WaitForExitAsync();
        return publish.ExitCode == 0
            ? Existing(Path.Combine(folder, Executable))
            : throw new InvalidOperationException("The tool cannot be published.");
    }

    /// <summary>Starts <c>fastllm run</c> from file to file.</summary>
    public static Process StartRun(string input, string output, string apiBase, int inFlight, string cache) => Start(
        Built, "run", input, "--output", output, "--base-url", apiBase, "--concurrency", inFlight.ToString(CultureInfo.InvariantCulture), "--cache", cache, "--quiet");

    public static Process Start(string program, params IEnumerable<string> args) =>
        Process.Start(new ProcessStartInfo(program, args) { RedirectStandardOutput = true })!;

    private static string Existing(string path) =>
        File.Exists(path) ? Path.GetFullPath(path) : throw new FileNotFoundException($"There is no {Path.GetFullPath(path)}. Build the solution first.");

    /// <summary>Gets the repository that this program lies in.</summary>
    public static string Root { get; } = FindRoot();

    private static string FindRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "FastLLM.slnx")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new DirectoryNotFoundException("This program does not lie in its repository.");
    }
}
