using System.Globalization;
using System.Text.Json;

namespace FastLLM.Requests;

/// <summary>Reads the rows of an input, one after the other. Bodies stay the bytes that stand there.</summary>
/// <param name="stream">UTF-8, one JSON object a line.</param>
/// <param name="format">How lines are to be read.</param>
/// <param name="model">The model for rows that name none, if any.</param>
internal sealed class InputReader(Stream stream, InputFormat format = InputFormat.Auto, string? model = null) : IDisposable
{
    private readonly LineReader _lines = new(stream);
    private readonly byte[]? _modelMember = model is null ? null : ModelMember(model);

    /// <summary>Reads the next row, blank lines passed over.</summary>
    /// <returns>The row, or <see langword="null"/> after the last one.</returns>
    public async ValueTask<InputRow?> ReadAsync(CancellationToken cancellationToken)
    {
        while (await _lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (line.Span.ContainsAnyExcept(" \t\r"u8))
            {
                return Read(line);
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => _lines.Dispose();

    private InputRow Read(ReadOnlyMemory<byte> line)
    {
        string id = _lines.Line.ToString(CultureInfo.InvariantCulture);
        bool hasOwnId = false;
        try
        {
            if (format == InputFormat.OpenAI || (format == InputFormat.Auto && BatchLine.IsBatchLine(line.Span)))
            {
                BatchLine batchLine = BatchLine.Read(Keep(line));
                hasOwnId = batchLine.CustomId is not null;
                id = batchLine.CustomId ?? id;
                LlmRequest request = LlmRequest.FromBody(batchLine.Url, WithModel(batchLine.Body), batchLine.CustomId, batchLine.Sample);
                return new InputRow(_lines.Line, id, request, default, null);
            }

            return ReadBare(line, id);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return new InputRow(_lines.Line, id, null, default, e.Message) { HasOwnId = hasOwnId };
        }
    }

    // A line is mostly lent, and what is kept of it copied; a large one is the reader's own already.
    private ReadOnlyMemory<byte> Keep(ReadOnlyMemory<byte> line) => _lines.IsKept ? line : ByteSlab.Requests.Copy(line.Span);

    private InputRow ReadBare(ReadOnlyMemory<byte> line, string id)
    {
        string endpoint = BareBody.EndpointOf(line.Span)
            ?? throw new JsonException("The line is no JSON object that is a batch line (\"custom_id\", \"url\", \"body\") or a request body (\"messages\" or \"input\" at the top).");
        ReadOnlyMemory<byte> metadata = default;
        ReadOnlyMemory<byte> body = format == InputFormat.Cookbook
            ? BareBody.WithoutMetadata(line.Span, out metadata)
            : Keep(line);
        return new InputRow(_lines.Line, id, LlmRequest.FromBody(endpoint, WithModel(body)), metadata, null);
    }

    private ReadOnlyMemory<byte> WithModel(ReadOnlyMemory<byte> body) =>
        _modelMember is null || RequestBody.Peek(body.Span).Model is not null ? body : BareBody.WithMember(body.Span, _modelMember);

    private static byte[] ModelMember(string model)
    {
        byte[] whole = JsonText.Build(writer =>
        {
            writer.WriteStartObject();
            writer.WriteText("model"u8, model);
            writer.WriteEndObject();
        });
        return whole[1..^1];
    }
}
