using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Providers;

/// <summary>Checks whether a 2xx body is a response: it must be complete, say that it is finished, and have no error.</summary>
internal static class ResponseCheck
{
    /// <summary>Checks a body that came with a 2xx status.</summary>
    /// <returns>The failure, or <see langword="null"/>.</returns>
    public static LlmException? Check(HttpResponseMessage response, ReadOnlyMemory<byte> body, string endpoint, Attempt? attempt,
        out BodyScan scan)
    {
        scan = default;
        try
        {
            scan = BodyScan.Read(body.Span);
        }
        catch (JsonException e)
        {
            return IsListOfErrors(body) ? Told(response, body.Span, attempt) : Unreadable(response, body.Span, e);
        }

        if (scan.HasError || scan.StatusFailed)
        {
            return Told(response, body.Span, attempt);
        }

        return IsFinished(scan, endpoint)
            ? null
            : Fault(FailureKind.IncompleteResponse, "The answer is JSON, but lacks what says that it is finished.", response,
                body.Span, null);
    }

    private static bool IsFinished(in BodyScan scan, string endpoint) => endpoint switch
    {
        Endpoints.ChatCompletions or Endpoints.Completions => scan.HasChoices && scan.AllFinished && !scan.GaveUp,
        Endpoints.Embeddings => scan.HasVectors,
        Endpoints.Responses => scan.StatusEnded,

        // An endpoint that is passed through: any complete JSON object without an error is a response.
        _ => true,
    };

    // Gemini's error format: [{"error":{…}}].
    private static bool IsListOfErrors(ReadOnlyMemory<byte> body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            JsonElement root = document.RootElement;
            return root.ValueKind == JsonValueKind.Array && root.GetArrayLength() > 0
                && root[0].Member("error").ValueKind != JsonValueKind.Undefined;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private static LlmException Told(HttpResponseMessage response, ReadOnlySpan<byte> body, Attempt? attempt) =>
        LlmException.From(response, body, attempt?.Transport.Time.GetUtcNow()).WithMaybeBilled(true);

    private static LlmException Unreadable(HttpResponseMessage response, ReadOnlySpan<byte> body, JsonException cause)
    {
        ReadOnlySpan<byte> begin = body.TrimStart(" \t\r\n"u8);
        return begin switch
        {
            // Compression was not requested, and the decompressed size has no limit.
            _ when response.Content.Headers.NonValidated.Contains("Content-Encoding") || begin is [0x1F, 0x8B, ..] =>
                new LlmException(FailureKind.InvalidResponse, "The answer is compressed, which was not asked for.",
                    cause) { StatusCode = (int)response.StatusCode, MaybeBilled = true },
            [] => Fault(FailureKind.InvalidResponse, "The answer is empty.", response, body, cause),
            [(byte)'{', ..] when IsCutOff(body) =>
                Fault(FailureKind.IncompleteResponse, $"The answer is not complete JSON. {JsonFault.Reason(cause)}", response, body, cause),
            [(byte)'{', ..] => Fault(FailureKind.InvalidResponse, JsonFault.Describe("The answer", cause), response, body, cause),
            _ when ResponseBody.IsOfEvents(response.Content) => Fault(FailureKind.InvalidResponse,
                "The answer is a stream of events, which was not requested. "
                    + "If the server always streams, use StreamMode.Auto (--stream auto).",
                response, body, cause),
            _ => Fault(FailureKind.InvalidResponse, "The answer is not a JSON object.", response, body, cause),
        };
    }

    // What is valid up to its end only lacks the rest.
    private static bool IsCutOff(ReadOnlySpan<byte> body)
    {
        var options = new JsonReaderOptions { MaxDepth = BodyScan.MaxDepth };
        var reader = new Utf8JsonReader(body, isFinalBlock: false, new JsonReaderState(options));
        try
        {
            while (reader.Read())
            {
                // To the end: the reader throws at what is not valid.
            }

            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Gets the failure of a malformed response.</summary>
    public static LlmException Fault(FailureKind kind, string message, HttpResponseMessage response, ReadOnlySpan<byte> body,
        JsonException? cause) =>
        new(kind, message, cause)
        {
            StatusCode = (int)response.StatusCode,
            Body = Encoding.UTF8.GetString(body[..Math.Min(body.Length, LlmException.BodyCap)]),
            MaybeBilled = true,
        };
}
