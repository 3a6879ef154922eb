using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Reads the options of prices, estimates and the budget.</summary>
internal sealed class CostOptions
{
    private readonly Option<string?> _prices = CliOption.Text(
        "--prices", "FILE", "Price table in the format of LiteLLM's model_prices_and_context_window.json. Precedes the built-in table.");

    private readonly Option<string?> _maxCost = CliOption.Text(
        "--max-cost", "USD", "Budget for all runs that write OUTPUT. A request whose worst case exceeds the remainder is not sent.");

    private readonly Option<string?> _confirmAbove = CliOption.Text("--confirm-above", "USD",
        "Ask for confirmation if the estimate exceeds USD or is unknown. Without a terminal, the run is rejected.");

    private readonly Option<bool> _dryRun = CliOption.Flag(
        "--dry-run", "Send nothing; print the number of rows, tokens, cost and the first request.");

    private readonly Option<int?> _preview = new("--preview")
    {
        HelpName = "N",
        Description = "Send N rows first and show them; on a terminal, ask before sending the others. Default: 3 on a terminal, if more "
            + "than 20 rows are to be sent, otherwise 0.",
    };

    private readonly Option<bool> _yes = CliOption.Flag("--yes", "Ask nothing, and show no preview unless --preview requests it.", "-y");

    /// <summary>Adds the options to a command.</summary>
    public void AddTo(CliCommand command) => command.Add("Cost", _dryRun, _preview, _yes, _confirmAbove, _maxCost, _prices);

    /// <summary>Adds the options of a command that neither asks nor shows rows first.</summary>
    public void AddAmountsTo(CliCommand command) => command.Add("Cost", _maxCost, _prices);

    /// <summary>Returns the file of prices, if there is one.</summary>
    public string? PriceFile(ParseResult result) => result.GetValue(_prices);

    /// <summary>Returns how many rows to show first; <see langword="null"/> for the default.</summary>
    /// <exception cref="UsageException">The number is out of range.</exception>
    public int? Preview(ParseResult result) => result.GetValue(_preview) is not { } rows ? null
        : rows is >= 0 and <= 1_000 ? rows : throw new UsageException("--preview must be from 0 to 1,000.");

    /// <summary>Returns whether nothing is to be asked.</summary>
    public bool IsYes(ParseResult result) => result.GetValue(_yes);

    /// <summary>Returns whether this is a dry run.</summary>
    public bool IsDryRun(ParseResult result) => result.GetValue(_dryRun);

    /// <summary>Returns the cost above which the user must confirm the run; <see langword="null"/> for none.</summary>
    public decimal? ConfirmAbove(ParseResult result) => Amount(result, _confirmAbove);

    /// <summary>Applies prices and budget.</summary>
    /// <exception cref="UsageException">An amount or the price table is invalid.</exception>
    public void Apply(ParseResult result, RequestManagerOptions options)
    {
        options.Prices = result.GetValue(_prices) is { } file ? Read(file).Over(PriceTable.BuiltIn) : PriceTable.BuiltIn;
        options.Budget = Amount(result, _maxCost);
    }

    private static decimal? Amount(ParseResult result, Option<string?> option) =>
        result.GetValue(option) is { } text ? CostText.Parse(option.Name, text) : null;

    private static PriceTable Read(string file)
    {
        try
        {
            using FileStream stream = File.OpenRead(file);
            PriceTable table = PriceTable.Read(stream);
            return table.Count > 0 ? table : throw new UsageException($"--prices {TerminalText.Clean(file)} contains no prices.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            throw new UsageException($"--prices {TerminalText.Clean(file)}: {TerminalText.Clean(e.Message, 400)}", e);
        }
    }
}
