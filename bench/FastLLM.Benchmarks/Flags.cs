using System.Globalization;

namespace FastLLM.Benchmarks;

/// <summary>The arguments of a sub-command: words, <c>--name value</c>, and <c>--name</c> alone.</summary>
internal sealed class Flags(string[] args)
{
    /// <summary>The word after the sub-command, if there is one.</summary>
    public string? Word => args is [_, var word, ..] && !word.StartsWith('-') ? word : null;

    public bool Has(string name) => Array.IndexOf(args, name) >= 0;

    public string? Text(string name) => Array.IndexOf(args, name) is >= 0 and var i && i + 1 < args.Length ? args[i + 1] : null;

    /// <summary>The values of an option that may be repeated.</summary>
    public string[] All(string name) => [.. args.Zip(args.Skip(1)).Where(pair => pair.First == name).Select(pair => pair.Second)];

    public string Required(string name) => Text(name) ?? throw new ArgumentException($"{name} is missing.");

    public int Int(string name, int otherwise) => Text(name) is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : otherwise;

    public double Number(string name, double otherwise) => Text(name) is { } text ? double.Parse(text, CultureInfo.InvariantCulture) : otherwise;
}
