using System.Collections;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using FastLLM.Requests;

namespace FastLLM;

/// <summary>Represents requests to process together, built in the style of the OpenAI client.</summary>
/// <remarks>
/// <code>
/// var batch = new RequestBatch();
/// string id = batch.Chat.Completions.Create(model: "m", messages: [Message.User("Hello!")]);
/// </code>
/// The index of a request in the batch is its order id. Nothing needs to be disposed. Not safe for concurrent changes; a batch that
/// does not change may be processed several times, also concurrently.
/// </remarks>
public sealed class RequestBatch : IReadOnlyList<LlmRequest>, IDisposable
{
    private readonly List<LlmRequest> _requests = [];

    /// <summary>Creates an empty batch.</summary>
    public RequestBatch()
    {
        Chat = new BatchChat(this);
        Embeddings = new BatchEmbeddings(this);
    }

    /// <summary>Gets the builder of chat requests.</summary>
    public BatchChat Chat { get; }

    /// <summary>Gets the builder of embedding requests.</summary>
    public BatchEmbeddings Embeddings { get; }

    /// <summary>Gets the number of requests.</summary>
    public int Count => _requests.Count;

    /// <summary>Gets the request with this order id.</summary>
    /// <param name="index">The order id, from 0.</param>
    public LlmRequest this[int index] => _requests[index];

    /// <summary>Joins batches in order; requests get new order ids.</summary>
    /// <param name="batches">The batches, which do not change.</param>
    public static RequestBatch Merge(IEnumerable<RequestBatch> batches)
    {
        ArgumentNullException.ThrowIfNull(batches);
        var merged = new RequestBatch();
        foreach (RequestBatch batch in batches)
        {
            merged._requests.AddRange(batch._requests);
        }

        return merged;
    }

    /// <summary>Creates a batch from bodies as dictionaries or objects: a "list of dictionaries".</summary>
    /// <param name="requests">Anonymous objects, objects of your own, dictionaries or requests; see
    /// <see cref="LlmRequest.FromObject"/>.</param>
    /// <inheritdoc cref="LlmRequest.FromObject"/>
    [RequiresUnreferencedCode(ObjectBody.NeedsReflection)]
    public static RequestBatch From(IEnumerable<object> requests)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var batch = new RequestBatch();
        foreach (object request in requests)
        {
            batch.Add(LlmRequest.FromObject(request));
        }

        return batch;
    }

    /// <summary>Reads a file of OpenAI batch lines or bare bodies. Bodies keep the bytes of the file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="BatchFormatException">Lines are invalid; the exception names them.</exception>
    public static async Task<RequestBatch> ReadAsync(string path, CancellationToken cancellationToken = default)
    {
        FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0,
            FileOptions.Asynchronous | FileOptions.SequentialScan);
        await using (stream.ConfigureAwait(false))
        {
            return await ReadAsync(stream, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads OpenAI batch lines or bare bodies. Bodies keep the bytes that were read.</summary>
    /// <param name="stream">The stream, UTF-8 with one JSON object per line. It stays open.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <exception cref="BatchFormatException">Lines are invalid; the exception names them.</exception>
    public static async Task<RequestBatch> ReadAsync(Stream stream, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var batch = new RequestBatch();
        batch._requests.AddRange(await BatchReader.ReadAllAsync(stream, cancellationToken).ConfigureAwait(false));
        return batch;
    }

    /// <summary>Adds a request.</summary>
    /// <param name="request">The request.</param>
    /// <returns>The id of the request: its key in a cache.</returns>
    /// <exception cref="ArgumentException">A text has half of a surrogate pair.</exception>
    [OverloadResolutionPriority(1)]
    public string Add(LlmRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        string id = request.Key.ToString();
        _requests.Add(request);
        return id;
    }

    /// <summary>Adds a request whose body is a dictionary.</summary>
    /// <param name="body">The parameters; see <see cref="LlmRequest.FromDictionary"/>.</param>
    /// <returns>The id of the request: its key in a cache.</returns>
    /// <inheritdoc cref="LlmRequest.FromDictionary"/>
    public string Add(IReadOnlyDictionary<string, object?> body) => Add(LlmRequest.FromDictionary(body));

    /// <summary>Writes the batch as OpenAI batch lines.</summary>
    /// <remarks>
    /// A request with a <c>custom_id</c> keeps it, unless another has the same; the others get <c>{order id}-{first 16 digits of the
    /// key}</c>.
    /// </remarks>
    /// <param name="path">The file, which is replaced.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    public async Task WriteAsync(string path, CancellationToken cancellationToken = default)
    {
        FileStream stream = new(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0, FileOptions.Asynchronous);
        await using (stream.ConfigureAwait(false))
        {
            await WriteAsync(stream, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc cref="WriteAsync(string, CancellationToken)"/>
    /// <param name="stream">The stream to write to. It stays open.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    public Task WriteAsync(Stream stream, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        return BatchWriter.WriteAllAsync(_requests, stream, cancellationToken);
    }

    /// <summary>Does nothing: it lets a <c>using</c> statement declare a batch, as in the original FastLLM.</summary>
    public void Dispose()
    {
    }

    /// <inheritdoc/>
    public IEnumerator<LlmRequest> GetEnumerator() => _requests.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
