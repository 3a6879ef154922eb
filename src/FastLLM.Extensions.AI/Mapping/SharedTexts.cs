using System.Collections.Concurrent;
using System.Text.Json;
using FastLLM.Pipeline;

namespace FastLLM.Mapping;

/// <summary>Embeds texts so that a text of several calls is sent once: while it is in flight, and with a cache for good.</summary>
/// <remarks>A text has the key of a request with that text alone. What no other call has sent becomes one request.</remarks>
internal sealed class SharedTexts(RequestManager<LlmResponse> manager)
{
    private readonly ConcurrentDictionary<RequestKey, TaskCompletionSource<EmbeddedText>> _inFlight = new();

    /// <summary>Embeds distinct texts.</summary>
    /// <param name="requests">Sends the request.</param>
    /// <param name="texts">The texts by key.</param>
    /// <param name="create">Creates the request for texts.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>The vectors by key, and the answer to this call's own request, if it sent one.</returns>
    public async Task<(Dictionary<RequestKey, EmbeddedText> Vectors, SingleAnswer<EmbeddingResponse>? Answer)> EmbedAsync(
        SingleRequest requests, Dictionary<RequestKey, string> texts, Func<string[], LlmRequest> create,
        CancellationToken cancellationToken)
    {
        var vectors = new Dictionary<RequestKey, EmbeddedText>(texts.Count);
        SingleAnswer<EmbeddingResponse>? answer = null;
        while (vectors.Count < texts.Count)
        {
            // If another call fails, or is canceled, its texts become this call's own.
            List<(RequestKey Key, Task<EmbeddedText> Task)> others = [];
            List<RequestKey> own = [];
            try
            {
                foreach (RequestKey key in texts.Keys.Where(key => !vectors.ContainsKey(key)))
                {
                    var mine = new TaskCompletionSource<EmbeddedText>(TaskCreationOptions.RunContinuationsAsynchronously);
                    TaskCompletionSource<EmbeddedText> present = _inFlight.GetOrAdd(key, mine);
                    if (ReferenceEquals(present, mine))
                    {
                        own.Add(key);
                    }
                    else
                    {
                        others.Add((key, present.Task));
                    }
                }

                List<RequestKey> missing = await LookUpAsync(own, vectors, cancellationToken).ConfigureAwait(false);
                if (missing.Count > 0)
                {
                    LlmRequest request = create([.. missing.Select(key => texts[key])]);
                    SingleAnswer<EmbeddingResponse> sent = await requests.SendAsync<EmbeddingResponse>(request, cancellationToken)
                        .ConfigureAwait(false);
                    await KeepAsync(sent.Response, missing, request, vectors).ConfigureAwait(false);
                    answer = sent;
                }
            }
            finally
            {
                foreach (RequestKey key in own)
                {
                    Complete(key, vectors.GetValueOrDefault(key));
                }
            }

            foreach ((RequestKey key, Task<EmbeddedText> task) in others)
            {
                await ((Task)task).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                cancellationToken.ThrowIfCancellationRequested();
                if (task.IsCompletedSuccessfully)
                {
                    vectors[key] = await task.ConfigureAwait(false) with { IsShared = true };
                }
            }
        }

        return (vectors, answer);
    }

    private async Task<List<RequestKey>> LookUpAsync(List<RequestKey> keys, Dictionary<RequestKey, EmbeddedText> vectors,
        CancellationToken cancellationToken)
    {
        if (manager.Answers is not { } answers)
        {
            return keys;
        }

        List<RequestKey> missing = [];
        foreach (RequestKey key in keys)
        {
            CachedAnswer<LlmResponse> hit;
            try
            {
                hit = await answers.GetAsync(key, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                throw AnswerStore<LlmResponse>.Failure(e, "looked up");
            }

            if (hit.Response is EmbeddingResponse { Embeddings: [var vector] } response)
            {
                vectors[key] = new EmbeddedText(vector, response.Model, IsCacheHit: true);
            }
            else
            {
                missing.Add(key);
            }
        }

        return missing;
    }

    // With a cache, each text is kept on its own too: the engine has kept the whole answer only.
    private async Task KeepAsync(EmbeddingResponse response, List<RequestKey> keys, LlmRequest request,
        Dictionary<RequestKey, EmbeddedText> vectors)
    {
        IReadOnlyList<ReadOnlyMemory<float>> all = VectorsOf(response, keys.Count);
        for (var i = 0; i < keys.Count; i++)
        {
            vectors[keys[i]] = new EmbeddedText(all[i], response.Model ?? request.Model);
            if (manager.Answers is { } answers && keys.Count > 1)
            {
                // If that fails, the vectors are delivered all the same: they were paid for.
                LlmResponse alone = LlmResponse.FromBody(BodyOf(all[i], response.Model));
                await answers.RecordAsync(keys[i], alone, request.Model, workers: null).ConfigureAwait(false);
            }
        }
    }

    private void Complete(RequestKey key, EmbeddedText? vector)
    {
        if (_inFlight.TryRemove(key, out TaskCompletionSource<EmbeddedText>? waiting)
            && (vector is null || !waiting.TrySetResult(vector)))
        {
            waiting.TrySetCanceled();
        }
    }

    private static byte[] BodyOf(ReadOnlyMemory<float> vector, string? model) => ValueJson.Build(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("object"u8, "list"u8);
        writer.WriteStartArray("data"u8);
        writer.WriteStartObject();
        writer.WriteString("object"u8, "embedding"u8);
        writer.WriteNumber("index"u8, 0);
        writer.WriteStartArray("embedding"u8);
        foreach (float number in vector.Span)
        {
            writer.WriteNumberValue(number);
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndArray();
        if (model is not null)
        {
            writer.WriteString("model"u8, model);
        }

        writer.WriteEndObject();
    });

    private static IReadOnlyList<ReadOnlyMemory<float>> VectorsOf(EmbeddingResponse response, int texts)
    {
        try
        {
            return response.Embeddings.Count == texts
                ? response.Embeddings
                : throw new LlmException(FailureKind.InvalidResponse,
                    $"The provider answered {texts} texts with {response.Embeddings.Count} vectors.");
        }
        catch (JsonException e)
        {
            throw new LlmException(FailureKind.InvalidResponse, e.Message, e);
        }
    }
}
