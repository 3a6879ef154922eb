using System.Text.Json;
using FastLLM.Jobs.Planning;
using FastLLM.Json;
using FastLLM.Pipeline;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary>Finds the answers of equal rows in the records of an output.</summary>
internal sealed class RecordedAnswers(AnswerIndex index, string output) : IRecordedAnswers, IDisposable
{
    private const int FirstRead = 4096;

    // Deeper than any answer that the engine accepts.
    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = 4096 };

    private readonly Lock _gate = new();
    private SafeFileHandle? _file;
    private Answer? _last;

    public bool MayRepeat(RequestKey key) => index.MayRepeat(RowIndex.Fingerprint(key));

    /// <remarks>A record that cannot be read, or answers another request, is none: the row is sent.</remarks>
    public ReadOnlyMemory<byte>? Find(RequestKey key)
    {
        if (index.Find(RowIndex.Fingerprint(key)) is not (>= 0 and var offset))
        {
            return null;
        }

        if (Volatile.Read(ref _last) is { } last && last.Key == key)
        {
            return last.Body; // thousands of equal rows often follow each other
        }

        try
        {
            byte[] line = ReadLine(offset);
            OutputEntry entry = OutputLine.Read(line, offset, line.Length);
            if (!entry.Succeeded || (entry.Key is { } own && own != key))
            {
                return null;
            }

            using JsonDocument document = JsonDocument.Parse(line, s_options);
            JsonElement body = document.RootElement.Member("response").Member("body");
            if (body.ValueKind != JsonValueKind.Object)
            {
                return null;
            }

            var answer = new Answer(key, body.RawBytes().ToArray());
            Volatile.Write(ref _last, answer);
            return answer.Body;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    public void Dispose() => _file?.Dispose();

    private byte[] ReadLine(long offset)
    {
        SafeFileHandle file;
        lock (_gate)
        {
            file = _file ??= OutputScan.OpenForReading(output);
        }

        byte[] buffer = new byte[FirstRead];
        for (var length = 0; ;)
        {
            int read = RandomAccess.Read(file, buffer.AsSpan(length), offset + length);
            int end = buffer.AsSpan(length, read).IndexOf((byte)'\n');
            if (end >= 0 || read == 0)
            {
                return buffer[..(length + Math.Max(end, 0))];
            }

            length += read;
            if (length == buffer.Length)
            {
                Array.Resize(ref buffer, checked(2 * length));
            }
        }
    }

    private sealed record Answer(RequestKey Key, byte[] Body);
}
