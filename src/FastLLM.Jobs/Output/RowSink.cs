using FastLLM.Jobs.Planning;
using FastLLM.Pipeline;

namespace FastLLM.Jobs.Output;

/// <summary>Base class for the destinations of records. Used by one thread at a time, except for <see cref="WaitForRoomAsync"/>.</summary>
internal abstract class RowSink
{
    /// <summary>Writes a record.</summary>
    /// <param name="place">The row's place in the input.</param>
    /// <param name="record">The line with its LF; valid during the call only.</param>
    public abstract void Write(int place, ReadOnlySpan<byte> record);

    /// <summary>Gets why nothing more should be paid for; what is in flight can still be written. <see langword="null"/> if nothing is
    /// wrong.</summary>
    public virtual IOException? Fault => null;

    /// <summary>Gets what finds the written answers again.</summary>
    public virtual IRecordedAnswers? Answers => null;

    /// <summary>Notes that the record just written is the answer to a request.</summary>
    public virtual void Answered(int place, RequestKey key, LlmResponse answer)
    {
    }

    /// <summary>Waits until another row may start: a sink that keeps the order must not hold too many records.</summary>
    public virtual ValueTask WaitForRoomAsync(CancellationToken cancellationToken) => default;

    /// <summary>Writes the records that are held back.</summary>
    public virtual void Flush()
    {
    }
}

/// <summary>Appends records to an output file as they come, and stores their offsets.</summary>
internal sealed class FileSink(OutputFile output, RowIndex rows, AnswerIndex index) : RowSink, IDisposable
{
    private readonly RecordedAnswers _answers = new(index, output.Path);

    public override IOException? Fault => output.Reserve.Fault;

    public override IRecordedAnswers Answers => _answers;

    public override void Write(int place, ReadOnlySpan<byte> record) => rows.SetRecord(place, output.Append(record));

    public override void Answered(int place, RequestKey key, LlmResponse answer)
    {
        if (_answers.MayRepeat(key))
        {
            index.Set(RowIndex.Fingerprint(key), rows.RecordOf(place));
        }
    }

    public void Dispose() => _answers.Dispose();
}

/// <summary>Writes records to a pipe, as they come or, through a window of records that are held back, in input order.</summary>
internal sealed class PipeSink(Stream stream, bool inOrder, AnswerIndex index) : RowSink, IDisposable
{
    private const int Window = 4096;

    private readonly LatestAnswers _answers = new(index);

    private readonly SemaphoreSlim _room = new(Window);
    private readonly SortedDictionary<int, byte[]> _held = [];
    private int _next;
    private IOException? _fault;

    public override IOException? Fault => _fault;

    public override IRecordedAnswers Answers => _answers;

    public override void Answered(int place, RequestKey key, LlmResponse answer)
    {
        if (_answers.MayRepeat(key))
        {
            _answers.Add(key, answer.RawBody.Span);
        }
    }

    public override void Write(int place, ReadOnlySpan<byte> record)
    {
        if (!inOrder)
        {
            WriteOut(record);
            return;
        }

        _held.Add(place, record.ToArray());
        while (_held.Remove(_next, out byte[]? next))
        {
            WriteOut(next);
            _next++;
            _room.Release();
        }
    }

    public override ValueTask WaitForRoomAsync(CancellationToken cancellationToken) =>
        inOrder ? new ValueTask(_room.WaitAsync(cancellationToken)) : default;

    public override void Flush()
    {
        foreach (byte[] record in _held.Values)
        {
            WriteOut(record);
        }

        _held.Clear();
    }

    public void Dispose()
    {
        _room.Dispose();
        stream.Dispose();
    }

    private void WriteOut(ReadOnlySpan<byte> record)
    {
        try
        {
            stream.Write(record);
        }
        catch (IOException e)
        {
            _fault = new IOException($"Standard output cannot be written: {e.Message.TrimEnd('.')}.", e);
            throw _fault;
        }
    }
}
