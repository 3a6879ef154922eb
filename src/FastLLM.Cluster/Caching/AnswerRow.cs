using System.Text;
using FastLLM.Caching;

namespace FastLLM.Cluster.Caching;

/// <summary>Represents an answer as a row of the database.</summary>
/// <param name="Stored">When it was put, by the database's clock: also the version of the row.</param>
/// <param name="Created">When it was received, in milliseconds since 1970.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Endpoint">The scope in UTF-8.</param>
/// <param name="Model">The model; empty if the request named none.</param>
/// <param name="Digest">The digest over all other columns but <paramref name="Stored"/>.</param>
/// <param name="Body">The packed body.</param>
internal sealed record AnswerRow(
    DateTime Stored, long Created, int Status, byte[] Endpoint, string Model, byte[] Digest, byte[] Body)
{
    private const long LatestTime = 253_402_300_799_999;

    /// <summary>Gets when the answer was put, by the clock of this machine.</summary>
    public DateTimeOffset RecordedAt { get; init; }

    /// <summary>Creates the row of an entry.</summary>
    public static AnswerRow Of(AnswerKey key, in CacheEntry entry)
    {
        string model = Storable(entry.Model);
        byte[] endpoint = EntryDigest.Utf8(entry.Scope);
        byte[] body = AnswerBody.Pack(entry.Body.Span);
        long created = entry.CreatedAt.ToUnixTimeMilliseconds();
        return new AnswerRow(
            default, created, entry.StatusCode, endpoint, model,
            ComputeDigest(key.RequestBytes(), endpoint, model, entry.StatusCode, created, body), body);
    }

    /// <summary>Checks the digest and unpacks the body.</summary>
    /// <returns>The entry; <see langword="null"/> if the row is damaged or belongs to another request or endpoint.</returns>
    public CacheEntry? ToEntry(AnswerKey key)
    {
        string scope = Encoding.UTF8.GetString(Endpoint);
        if (Created is < 0 or > LatestTime || (key.Scope is { } hash && hash != AnswerKey.HashOf(scope))
            || !ComputeDigest(key.RequestBytes(), Endpoint, Model, Status, Created, Body).AsSpan().SequenceEqual(Digest)
            || AnswerBody.Unpack(Body) is not { } body)
        {
            return null;
        }

        return new CacheEntry(body, scope, Status, DateTimeOffset.FromUnixTimeMilliseconds(Created))
        {
            Model = Model.Length == 0 ? null : Model,
        };
    }

    // The digest covers the packed body: it is checked before anything is unpacked.
    private static byte[] ComputeDigest(byte[] request, byte[] endpoint, string model, int status, long created, byte[] body)
    {
        var digest = new byte[EntryDigest.Size];
        EntryDigest.Compute(request, endpoint, EntryDigest.Utf8(model), status, created, body, digest);
        return digest;
    }

    // PostgreSQL stores neither U+0000 nor half of a surrogate pair as text.
    private static string Storable(string? model) => string.IsNullOrEmpty(model) ? ""
        : Ascii.IsValid(model) && !model.Contains('\0', StringComparison.Ordinal) ? model
        : Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(model.Replace('\0', '\uFFFD')));
}
