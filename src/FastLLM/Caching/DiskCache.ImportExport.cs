using System.Buffers;
using System.Globalization;
using System.Runtime.CompilerServices;
using FastLLM.Caching;
using FastLLM.Pipeline;
using FastLLM.Requests;

namespace FastLLM;

// Out to a stream of lines, and in again: to carry answers to another machine, or to keep them apart.
public sealed partial class DiskCache
{
    private const int WriteFrom = 1 << 16;

    /// <summary>Writes all sound entries as lines of JSON, the oldest first.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    /// <returns>How many were written.</returns>
    public async Task<long> ExportAsync(Stream output, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(output);
        var lines = new ArrayBufferWriter<byte>(2 * WriteFrom);
        long count = 0;
        await foreach ((RequestKey key, CacheEntry entry) in ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            CacheLine.Write(lines, key, entry);
            count++;
            if (lines.WrittenCount >= WriteFrom)
            {
                await output.WriteAsync(lines.WrittenMemory, cancellationToken).ConfigureAwait(false);
                lines.ResetWrittenCount();
            }
        }

        await output.WriteAsync(lines.WrittenMemory, cancellationToken).ConfigureAwait(false);
        await output.FlushAsync(cancellationToken).ConfigureAwait(false);
        return count;
    }

    /// <summary>Takes over what <see cref="ExportAsync"/> wrote. Where an entry of the same key and scope is there, the newer one counts.</summary>
    /// <remarks>Answers are handed out as they stand there: take over only what comes from where you trust.</remarks>
    /// <param name="input">Where from.</param>
    /// <param name="cancellationToken">Stops the taking over; what was taken over stays.</param>
    /// <returns>How many were read.</returns>
    /// <exception cref="FormatException">A line is no entry; the message says which. Those before it were taken over.</exception>
    public Task<long> ImportAsync(Stream input, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(input);
        return ImportAsync(ReadLinesAsync(input, cancellationToken), cancellationToken);
    }

    private static async IAsyncEnumerable<(RequestKey Key, CacheEntry Entry)> ReadLinesAsync(Stream input, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var lines = new LineReader(input);
        while (await lines.ReadAsync(cancellationToken).ConfigureAwait(false) is { } line)
        {
            if (line.Span.ContainsAnyExcept(" \t\r"u8))
            {
                yield return Entry(line, lines.Line);
            }
        }
    }

    private static (RequestKey Key, CacheEntry Entry) Entry(ReadOnlyMemory<byte> line, long number)
    {
        try
        {
            return CacheLine.Read(line);
        }
        catch (FormatException e)
        {
            throw new FormatException(string.Create(CultureInfo.InvariantCulture, $"Line {number} cannot be taken over: {e.Message}."), e);
        }
    }
}
