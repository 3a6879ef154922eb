using Microsoft.ML.Tokenizers;

namespace FastLLM.Jobs.Planning;

/// <summary>Represents the vocabulary of a model family, by which its tokens are counted before anything is sent.</summary>
internal sealed class Vocabulary
{
    private static readonly Vocabulary s_o200k = new("o200k_base");
    private static readonly Vocabulary s_cl100k = new("cl100k_base");

    private static readonly (string Prefix, Vocabulary Vocabulary)[] s_models =
    [
        ("gpt-4o", s_o200k), ("chatgpt-4o", s_o200k), ("gpt-4.1", s_o200k), ("gpt-4.5", s_o200k), ("gpt-5", s_o200k),
        ("o1", s_o200k), ("o3", s_o200k), ("o4", s_o200k),
        ("gpt-4", s_cl100k), ("gpt-3.5", s_cl100k), ("text-embedding-3", s_cl100k), ("text-embedding-ada-002", s_cl100k),
    ];

    // Loading takes a third of a second, which a plan that has nothing to send must not cost.
    private readonly Lazy<Tokenizer> _tokenizer;

    private Vocabulary(string name)
    {
        Name = name;
        _tokenizer = new Lazy<Tokenizer>(() => TiktokenTokenizer.CreateForEncoding(name));
    }

    /// <summary>Gets the name, such as <c>o200k_base</c>.</summary>
    public string Name { get; }

    /// <summary>Gets the vocabulary of a model; <see langword="null"/> if it is not known.</summary>
    /// <param name="model">The name, also with the vendor (<c>openai/gpt-4o</c>) or of a fine-tuned model
    /// (<c>ft:gpt-4o:…</c>).</param>
    public static Vocabulary? Of(string model)
    {
        string name = model.StartsWith("ft:", StringComparison.Ordinal) ? model["ft:".Length..] : model;
        name = name.StartsWith("openai/", StringComparison.Ordinal) ? name["openai/".Length..] : name;
        return Array.Find(s_models, known => IsOf(name, known.Prefix)).Vocabulary;
    }

    /// <summary>Counts the tokens of a text.</summary>
    public int Count(string text) => _tokenizer.Value.CountTokens(text);

    // gpt-4 and gpt-4-turbo, but not gpt-40.
    private static bool IsOf(string name, string prefix) => name.StartsWith(prefix, StringComparison.Ordinal)
        && (name.Length == prefix.Length || name[prefix.Length] is '-' or ':' or '.');
}
