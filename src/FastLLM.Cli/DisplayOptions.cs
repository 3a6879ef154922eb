using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Reads the options of what a run prints.</summary>
internal sealed class DisplayOptions
{
    private readonly Option<bool> _json = CliOption.Flag("--json", "Write events to standard output, one JSON object per line.");
    private readonly Option<bool> _quiet = CliOption.Flag("--quiet", "Write only errors to standard error.", "-q");
    private readonly Option<bool> _verbose = CliOption.Flag("--verbose", "Report retries and their reasons on standard error.", "-v");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(CliCommand command) => command.Add("Display", _json, _quiet, _verbose);

    /// <summary>Returns whether events go to standard output.</summary>
    public bool IsJson(ParseResult result) => result.GetValue(_json);

    /// <summary>Returns whether only errors are printed.</summary>
    public bool IsQuiet(ParseResult result) => result.GetValue(_quiet);

    /// <summary>Returns whether retries are reported.</summary>
    public bool IsVerbose(ParseResult result) => result.GetValue(_verbose);
}
