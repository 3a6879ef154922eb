using FastLLM.Jobs.Planning;
using FastLLM.Pipeline;

namespace FastLLM.Jobs.Output;

/// <summary>Keeps the latest answers that were written to a pipe, from which nothing can be read back.</summary>
/// <remarks>Equal rows share an answer unless the answers between them take more than the bound.</remarks>
internal sealed class LatestAnswers(AnswerIndex index, long maxBytes = LatestAnswers.DefaultBytes) : IRecordedAnswers
{
    /// <summary>The bound, in bytes: of bodies, and of about a hundred for each.</summary>
    public const long DefaultBytes = 64L << 20;

    private const int Overhead = 100;

    private readonly Lock _gate = new();
    private readonly Dictionary<RequestKey, byte[]> _bodies = [];
    private readonly Queue<RequestKey> _order = new();
    private long _bytes;

    public bool MayRepeat(RequestKey key) => index.MayRepeat(RowIndex.Fingerprint(key));

    public ReadOnlyMemory<byte>? Find(RequestKey key)
    {
        lock (_gate)
        {
            return _bodies.TryGetValue(key, out byte[]? body) ? new ReadOnlyMemory<byte>(body) : default(ReadOnlyMemory<byte>?);
        }
    }

    /// <summary>Keeps a copy of an answer: the memory of one that was just received is shared with others.</summary>
    public void Add(RequestKey key, ReadOnlySpan<byte> body)
    {
        lock (_gate)
        {
            if (!_bodies.TryAdd(key, body.ToArray()))
            {
                return;
            }

            _order.Enqueue(key);
            _bytes += body.Length + Overhead;
            while (_bytes > maxBytes)
            {
                _bodies.Remove(_order.Dequeue(), out byte[]? oldest);
                _bytes -= oldest!.Length + Overhead;
            }
        }
    }
}
