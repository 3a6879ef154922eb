using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace FastLLM.Cli;

/// <summary>Passes the arguments, environment and streams of the process to <see cref="App"/>.</summary>
internal static class Program
{
    /// <summary>Gets the version.</summary>
    public static string Version { get; } =
        typeof(Program).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion.Split('+', 2)[0];

    private static int Main(string[] args)
    {
        // Scripts call this often, so it does not load the parser.
        if (args is ["--version"])
        {
            using Stream output = Console.OpenStandardOutput();
            output.Write(Encoding.UTF8.GetBytes(Version + Environment.NewLine));
            return ExitCode.Ok;
        }

        return Run(args);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int Run(string[] args) =>
        new App(Environment.GetEnvironmentVariable, Console.Out, Console.Error, TimeProvider.System)
            .RunAsync(args).GetAwaiter().GetResult();
}
