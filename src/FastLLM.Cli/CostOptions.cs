using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>The options that say what things cost, and how much they may.</summary>
internal sealed class CostOptions
{
    private readonly Option<string?> _prices = new("--prices") { HelpName = "FILE", Description = "Prices of models, in the form of model_prices_and_context_window.json; they go before the small table that is built in." };
    private readonly Option<string?> _maxCost = new("--max-cost") { HelpName = "USD", Description = "What the job may cost, all runs that build OUTPUT together; before each send its worst case is set aside." };
    private readonly Option<string?> _confirmAbove = new("--confirm-above") { HelpName = "USD", Description = "Ask before a run that may cost more, or nobody knows how much; without a terminal, refuse it." };
    private readonly Option<bool> _dryRun = new("--dry-run") { Description = "Send nothing: tell rows, tokens, cost and the first request." };

    /// <summary>Adds them to a command.</summary>
    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_dryRun, _confirmAbove, _maxCost, _prices])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Whether nothing is to be sent.</summary>
    public bool IsDryRun(ParseResult result) => result.GetValue(_dryRun);

    /// <summary>From which cost on a person must agree.</summary>
    public decimal? ConfirmAbove(ParseResult result) => Amount(result, _confirmAbove);

    /// <summary>Sets what was given.</summary>
    /// <exception cref="UsageException">An amount or the table is none.</exception>
    public void Apply(ParseResult result, RequestManagerOptions sending)
    {
        sending.Prices = result.GetValue(_prices) is { } file ? Read(file).Over(PriceTable.BuiltIn) : PriceTable.BuiltIn;
        sending.Budget = Amount(result, _maxCost);
    }

    private static decimal? Amount(ParseResult result, Option<string?> option) =>
        result.GetValue(option) is { } text ? CostText.Parse(option.Name, text) : null;

    private static PriceTable Read(string file)
    {
        try
        {
            using FileStream stream = File.OpenRead(file);
            PriceTable table = PriceTable.Read(stream);
            return table.Count > 0 ? table : throw new UsageException($"--prices {TerminalText.Clean(file)} has no price for any model.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new UsageException($"--prices {TerminalText.Clean(file)}: {TerminalText.Clean(e.Message, 400)}", e);
        }
    }
}
