using System.Diagnostics;

namespace FastLLM.TestKit.Servers;

/// <summary>Finds and runs programs of the system.</summary>
internal static class Programs
{
    /// <summary>Returns the first of these folders, or of those in PATH, that has a program; <see langword="null"/> without one.</summary>
    public static string? FolderOf(string program, params IEnumerable<string> folders) =>
        OperatingSystem.IsWindows() ? null // its programs are no scripts, and have other signals
        : folders.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries))
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, program)));

    /// <summary>Describes a process whose output is read.</summary>
    public static ProcessStartInfo Describe(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = "/", // which every user may read
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach ((string name, string value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return start;
    }

    /// <summary>Runs a program to its end.</summary>
    /// <returns>Its output.</returns>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static async Task<string> RunAsync(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        using Process process = Process.Start(Describe(program, arguments, environment))!;
        process.StandardInput.Close();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> errors = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? await output
            : throw new InvalidOperationException($"{process.StartInfo.FileName} ended with {process.ExitCode}: {await output}{await errors}");
    }
}
