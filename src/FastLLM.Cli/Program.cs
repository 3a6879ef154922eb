using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using FastLLM.Diagnostics;

namespace FastLLM.Cli;

/// <summary>Passes the arguments, environment and streams of the process to <see cref="App"/>.</summary>
internal static class Program
{
    // With fewer, the runtime cannot load all of its own files, and no connection is left.
    private const int FewestDescriptors = 192;

    private static readonly TimeSpan s_matchTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Gets the version.</summary>
    public static string Version { get; } =
        typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+', 2)[0];

    private static int Main(string[] args)
    {
        // Scripts call this often, so it does not load the parser.
        if (args is ["--version"])
        {
            return WriteVersion();
        }

        return Run(args);
    }

    private static int WriteVersion()
    {
        try
        {
            using Stream output = StandardStreams.HasOutput ? Console.OpenStandardOutput() : Stream.Null;
            output.Write(Encoding.UTF8.GetBytes(Version + Environment.NewLine));
            return StandardStreams.HasOutput ? ExitCode.Ok : ExitCode.Usage;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ExitCode.Usage;
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(string[] args)
    {
        // A model can write an answer for which a pattern of a schema takes years. Set before the first regular expression.
        AppDomain.CurrentDomain.SetData("REGEX_DEFAULT_MATCH_TIMEOUT", s_matchTimeout);
        StandardStreams.Prepare();
        if (Descriptors.Limit < FewestDescriptors)
        {
            Console.Error.WriteLine($"fastllm: The process may have {Descriptors.Limit} files open, but needs {FewestDescriptors}. "
                + "Raise the limit (ulimit -n).");
            return ExitCode.Usage;
        }

        return new App(Environment.GetEnvironmentVariable, StandardStreams.Output, Console.Error, TimeProvider.System)
            .RunAsync(args).GetAwaiter().GetResult();
    }
}
