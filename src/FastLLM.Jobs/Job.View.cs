using System.Runtime.CompilerServices;
using FastLLM.Diagnostics;
using FastLLM.Jobs.Input;
using FastLLM.Jobs.Output;
using FastLLM.Jobs.Tables;

namespace FastLLM;

// The output where it is not the log: written of it when every row has its outcome.
public sealed partial class Job
{
    private readonly ColumnNames _columns = new();

    private static void CheckTemplate(JobOptions options)
    {
        options.Template?.Check();
        if (options.Template is not null && options.InputFormat is InputFormat.OpenAI or InputFormat.Cookbook)
        {
            throw new ArgumentException("A template is for plain rows; rows of this input format are requests already.", nameof(options));
        }

        if (options.Template is null && options.InputFormat is InputFormat.Jsonl or InputFormat.Csv or InputFormat.Tsv)
        {
            throw new ArgumentException("Plain rows need a template that says what to ask of each.", nameof(options));
        }
    }

    private static void CheckView(JobOptions options)
    {
        if (options.OutputFormat == OutputFormat.Rows && options.Output == Pipe)
        {
            throw new ArgumentException("Rows are written when the run is done, into a file: name one as the output.", nameof(options));
        }

        OutputShape shape = OutputShape.Of(options.Output, options.OutputFormat);
        if (!shape.IsLog && options.Order != ResultOrder.Input)
        {
            throw new ArgumentException($"{options.Output} is written when the run is done, and always in input order.", nameof(options));
        }

        if (shape.Kind != OutputKind.Lines && !options.IncludeMetadata)
        {
            throw new ArgumentException("Rows have no member \"fastllm\" that could be left out, and are made of it.", nameof(options));
        }
    }

    // Whoever waits for a pipe's first bytes can be interrupted.
    private async Task OpenPipeAsync(CancellationToken drain, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(drain, cancellationToken);
        _piped = Open(_options);
        await _piped.OpenAsync(either.Token).AsTask().WaitAsync(either.Token).ConfigureAwait(false);
    }

    private void PrepareOutput(OutputFile log)
    {
        string? view = _shape.IsLog ? null : OutputFile.CheckPlace(_shape.Path);
        if (_options.Fresh)
        {
            log.SetAside();
            if (view is not null)
            {
                OutputFile.SetAside(view);
            }
        }
        else if (view is not null && File.Exists(view) && !File.Exists(log.Path))
        {
            throw new IOException($"{_options.Output} is there already, without the log that it would go on with ({_shape.Log}). Name another file, or give --fresh to put it aside.");
        }
    }

    private async Task<JobResult> EndViewAsync(JobResult result, CancellationToken cancellationToken)
    {
        if (result is not { Pending: 0, Stopped: null, Interrupted: false })
        {
            Say($"{_options.Output} is written when every row has its outcome; those that are there stand in {_shape.Log}.");
            return result;
        }

        try
        {
            bool withId = _options.Template is null || _options.Samples > 1;
            await new TableExport(_shape, _shape.Log).WriteAsync(ViewRowsAsync(cancellationToken), _columns, withId, cancellationToken).ConfigureAwait(false);
            return result;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            return result with { Stopped = StoppedBy(FailureKind.Output, $"{_shape.Log} holds every outcome, but {_options.Output} cannot be made of it: {e.Message}", e) };
        }
        catch (OperationCanceledException)
        {
            return result with { Interrupted = true };
        }
    }

    // The columns are those that the input has now: a kept record may carry older ones. A pipe is gone, and its records carry theirs.
    private async IAsyncEnumerable<(ReadOnlyMemory<byte> Columns, long Offset)> ViewRowsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (InputIsPipe)
        {
            for (var place = 0; place < _table.Count; place++)
            {
                yield return (default, _table.RecordOf(place));
            }

            yield break;
        }

        var next = 0;
        using InputReader reader = Open(_options);
        await foreach (AskedRow row in ReadAsync(_options, reader, null, cancellationToken).ConfigureAwait(false))
        {
            yield return (row.Source.Metadata, _table.RecordOf(Known(next++, row).Place));
        }
    }
}
