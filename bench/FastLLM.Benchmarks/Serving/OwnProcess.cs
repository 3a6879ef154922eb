using System.Diagnostics;
using System.Reflection;

namespace FastLLM.Benchmarks.Serving;

/// <summary>Starts this program once more, with other arguments.</summary>
internal static class OwnProcess
{
    public static Process Start(params IEnumerable<string> args)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardInput = true, RedirectStandardOutput = true };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
        {
            start.ArgumentList.Add(Assembly.GetEntryAssembly()!.Location);
        }

        // A profiler that waits for this process is not to wait for the other.
        start.Environment.Remove("DOTNET_DiagnosticPorts");
        foreach (string arg in args)
        {
            start.ArgumentList.Add(arg);
        }

        return Process.Start(start)!;
    }
}
