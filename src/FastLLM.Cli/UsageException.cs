namespace FastLLM.Cli;

/// <summary>Represents invalid usage or input. Nothing was sent; the message says what to do, and the exit code is 2.</summary>
internal sealed class UsageException(string message, Exception? innerException = null) : Exception(message, innerException)
{
    /// <summary>Creates the error for an invalid value of an option.</summary>
    /// <param name="option">The name of the option.</param>
    /// <param name="value">The value.</param>
    /// <param name="hint">A sentence that names the valid values.</param>
    public static UsageException Invalid(string option, string? value, string hint) =>
        new($"{option} \"{TerminalText.Clean(value, 40)}\" is not valid. {hint}");

    /// <summary>Converts an invalid argument of the library, without the name of the parameter.</summary>
    public static UsageException From(ArgumentException e) => new(TerminalText.Clean(e.Message.Split(" (Parameter", 2)[0], 1000), e);
}
