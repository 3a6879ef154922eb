using System.Buffers;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Jobs.Output;

/// <summary>Represents what the member <c>fastllm</c> of a record states; <c>default</c> if there is none.</summary>
internal struct OwnMember
{
    // No row costs more, and sums must not overflow.
    private const decimal MaxCost = 1_000_000_000_000m;

    /// <summary>Gets the key of the request.</summary>
    public RequestKey? Key { get; private set; }

    /// <summary>Gets the cost of the row.</summary>
    public decimal? Cost { get; private set; }

    /// <summary>Gets a value indicating whether the command's simulator made the answer up.</summary>
    public bool IsSimulated { get; private set; }

    /// <summary>Gets the number of the refresh that wrote the record; 0 if none did.</summary>
    public long Refresh { get; private set; }

    /// <summary>Gets a value indicating whether the row was never sent: its answer came from the cache, or from an equal row.</summary>
    public bool IsUnsent { get; private set; }

    /// <summary>Gets a value indicating whether the row failed although the model has answered, since no answer passed the check.</summary>
    public bool HasInvalidAnswer { get; private set; }

    /// <summary>Gets a value indicating whether sends may be billed that brought no answer.</summary>
    public bool MaybeBilled { get; private set; }

    /// <summary>Gets a value indicating whether the cost does not include all sends.</summary>
    public bool HasUnpriced { get; private set; }

    /// <summary>Reads the member at whose name the reader is, and leaves the reader at its end.</summary>
    public static OwnMember Read(ref Utf8JsonReader reader)
    {
        var own = default(OwnMember);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            return own;
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            own.ReadMember(ref reader);
            reader.Skip();
        }

        return own;
    }

    /// <summary>Reads a key at the reader; <see langword="null"/> if the text is not one.</summary>
    public static RequestKey? KeyOf(ReadOnlySpan<byte> text)
    {
        Span<byte> digest = stackalloc byte[RequestKey.Size];
        return text.Length == 2 * RequestKey.Size && Convert.FromHexString(text, digest, out _, out _) == OperationStatus.Done
            ? RequestKey.FromBytes(digest)
            : null;
    }

    private void ReadMember(ref Utf8JsonReader reader)
    {
        if (reader.TextIs("key"u8))
        {
            reader.Read();
            Key = reader.TokenType == JsonTokenType.String ? KeyOf(reader.ValueSpan) : null;
        }
        else if (reader.TextIs("cost"u8))
        {
            reader.Read();
            bool isNumber = reader.TokenType == JsonTokenType.Number;
            Cost = isNumber && reader.TryGetDecimal(out decimal cost) && cost is >= 0 and <= MaxCost ? cost : null;
        }
        else if (reader.TextIs("attempts"u8))
        {
            IsUnsent = IsZero(ref reader) == true;
        }
        else if (reader.TextIs("maybe_billed"u8))
        {
            MaybeBilled = IsZero(ref reader) == false;
        }
        else if (reader.TextIs("unpriced"u8))
        {
            HasUnpriced = IsZero(ref reader) == false;
        }
        else if (reader.TextIs("failure"u8))
        {
            reader.Read();
            HasInvalidAnswer = reader.TokenType == JsonTokenType.String && reader.TextIs("invalid_answer"u8);
        }
        else if (reader.TextIs("simulated"u8))
        {
            reader.Read();
            IsSimulated = reader.TokenType == JsonTokenType.True;
        }
        else if (reader.TextIs("refresh"u8))
        {
            reader.Read();
            bool isNumber = reader.TokenType == JsonTokenType.Number;
            Refresh = isNumber && reader.TryGetInt64(out long refresh) && refresh is >= 0 and < long.MaxValue ? refresh : 0;
        }
    }

    private static bool? IsZero(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out long number) ? number == 0 : null;
    }
}
