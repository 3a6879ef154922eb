using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Caching;
using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Output;

/// <summary>Stores in <c>OUTPUT.refresh</c> which refreshes of an output have begun and are not done, so that the same command continues
/// them: one line of JSON, or no file if there are none.</summary>
/// <remarks>
/// <para>Refreshes of an output are numbered. A record bears the number of the latest one that was under way when it was written, so that a
/// record with the number of a refresh, or a higher one, is its result. Numbers do not depend on a clock, and outlast a sort.</para>
/// <para>The lock of the output covers the file, which is flushed before the first send. One that a power loss left blank is none.</para>
/// </remarks>
internal sealed class RefreshJournal(string output, RefreshRule rule)
{
    private readonly SortedDictionary<string, RefreshStart> _unfinished = new(StringComparer.Ordinal);
    private int _length;

    /// <summary>Gets the suffix of the file.</summary>
    public static string Suffix => ".refresh";

    /// <summary>Gets the path of the file.</summary>
    public string Path { get; } = output + Suffix;

    /// <summary>Gets the refresh that this run continues; <see langword="null"/> if it refreshes nothing, or begins to.</summary>
    public RefreshStart? Continued => _unfinished.TryGetValue(rule.Name, out RefreshStart start) ? start : null;

    /// <summary>Gets the number that new records bear: that of the latest refresh under way, or 0.</summary>
    public long Number => _unfinished.Count == 0 ? 0 : _unfinished.Values.Max(start => start.Number);

    /// <summary>Reads the file of an earlier run.</summary>
    /// <exception cref="IOException">The file cannot be read, or is not a journal.</exception>
    public void Read()
    {
        if (FileStatus.Of(Path) is not { } there)
        {
            return;
        }

        PlainFile.Require(Path, there);
        byte[] bytes = File.ReadAllBytes(Path);
        _length = bytes.Length;
        if (!bytes.AsSpan().ContainsAnyExcept((byte)0, (byte)' ', (byte)'\n'))
        {
            return;
        }

        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes);
            foreach (JsonProperty one in document.RootElement.EnumerateObject())
            {
                DateTimeOffset at = one.Value.GetProperty("at").GetDateTimeOffset();
                _unfinished[one.Name] = new RefreshStart(one.Value.GetProperty("number").GetInt64(), at);
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new IOException(
                $"{Path}, which stores what a refresh has done, cannot be read. Delete it to request all of its rows again.", e);
        }
    }

    /// <summary>Begins the refresh of this run, unless the run continues one.</summary>
    /// <param name="latest">The highest number of the records.</param>
    /// <param name="now">The time.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void Begin(long latest, DateTimeOffset now)
    {
        if (!rule.IsEmpty && Continued is null)
        {
            _unfinished[rule.Name] = new RefreshStart(Math.Max(latest, Number) + 1, now);
            Write();
        }
    }

    /// <summary>Ends the refresh of this run: every row has its outcome.</summary>
    /// <param name="isWhole">Whether the run was about all rows of the input.</param>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void End(bool isWhole)
    {
        if (Continued is not { } ended)
        {
            return;
        }

        // What refreshes every answer also does what others had begun before it.
        string[] done = [.. _unfinished.Where(one => isWhole && rule.IsForAll && one.Value.Number <= ended.Number).Select(one => one.Key)];
        foreach (string name in done.Append(rule.Name))
        {
            _unfinished.Remove(name);
        }

        if (_unfinished.Count > 0)
        {
            Write();
            return;
        }

        Delete();
    }

    /// <summary>Deletes the file: no refresh is under way.</summary>
    public void Delete()
    {
        File.Delete(Path);
        _unfinished.Clear();
    }

    private void Write()
    {
        var text = new StringBuilder("{");
        foreach ((string name, RefreshStart start) in _unfinished)
        {
            text.Append(text.Length > 1 ? "," : "").Append(
                CultureInfo.InvariantCulture,
                $"\"{JsonEncodedText.Encode(name)}\":{{\"number\":{start.Number},\"at\":\"{start.At.UtcDateTime:O}\"}}");
        }

        byte[] line = Encoding.UTF8.GetBytes(text.Append('}').ToString());
        int length = line.Length;
        _length = Math.Max(_length, length + 1); // never shorter, so that one write replaces the whole line
        Array.Resize(ref line, _length);
        line.AsSpan(length).Fill((byte)' ');
        line[^1] = (byte)'\n';
        using FileStream file = PlainFile.OpenOrCreate(Path, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.Write(file.SafeFileHandle, line, 0);
        RandomAccess.FlushToDisk(file.SafeFileHandle);
    }
}

/// <summary>Represents a refresh that has begun.</summary>
/// <param name="Number">Its number among the refreshes of the output, from 1.</param>
/// <param name="At">When it began.</param>
internal readonly record struct RefreshStart(long Number, DateTimeOffset At);
