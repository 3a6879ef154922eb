using System.CommandLine;

namespace FastLLM.Cli;

/// <summary>Creates options.</summary>
internal static class CliOption
{
    /// <summary>Creates an option without a value.</summary>
    public static Option<bool> Flag(string name, string description, params string[] aliases) =>
        new(name, aliases) { Description = description };

    /// <summary>Creates an option whose value is optional text.</summary>
    public static Option<string?> Text(string name, string value, string description, params string[] aliases) =>
        new(name, aliases) { HelpName = value, Description = description };

    /// <summary>Creates an option with a default, which help appends to the description.</summary>
    public static Option<T> WithDefault<T>(string name, string value, T defaultValue, string description) =>
        new(name) { HelpName = value, Description = description, DefaultValueFactory = _ => defaultValue };
}
