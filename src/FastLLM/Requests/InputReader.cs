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
                return Read(line.Span);
            }
        }

        return null;
    }

    /// <inheritdoc/>
    public void Dispose() => _lines.Dispose();

    private InputRow Read(ReadOnlySpan<byte> line)
    {
        string id = _lines.Line.ToString(CultureInfo.InvariantCulture);
        try
        {
            // The line's bytes are lent; what is kept of them is copied.
            if (format == InputFormat.OpenAI || (format == InputFormat.Auto && BatchLine.IsBatchLine(line)))
            {
                BatchLine batchLine = BatchLine.Read(ByteSlab.Copy(line));
                id = batchLine.CustomId ?? id;
                LlmRequest request = LlmRequest.FromBody(batchLine.Url, WithModel(batchLine.Body), batchLine.CustomId, batchLine.Sample);
                return new InputRow(_lines.Line, id, request, default, null);
            }

            return ReadBare(line, id);
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            return new InputRow(_lines.Line, id, null, default, e.Message);
        }
    }

    private InputRow ReadBare(ReadOnlySpan<byte> line, string id)
    {
        string endpoint = BareBody.EndpointOf(line)
            ?? throw new JsonException("The line is no JSON object that is a batch line (\"custom_id\", \"url\", \"body\") or a request body (\"messages\" or \"input\" at the top).");
        ReadOnlyMemory<byte> metadata = default;
        ReadOnlyMemory<byte> body = format == InputFormat.Cookbook
            ? BareBody.WithoutMetadata(line, out metadata)
            : ByteSlab.Copy(line);
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
