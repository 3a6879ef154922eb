using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Output;

/// <summary>Stores in <c>OUTPUT.spent</c> the cost of a job that no record of the output states: one line of JSON, or no file if there is
/// none.</summary>
/// <remarks><c>unrecorded</c> was paid for records that no longer exist, and for rows without one. <c>in_flight</c> exists only during a
/// run with a budget: an upper bound of what is spent or reserved and in no record yet. A killed run leaves it. A file that a full disk did
/// not let be written is deleted again, and one that a power loss left blank is none. Not safe for concurrent use; the lock of the output
/// covers it.</remarks>
internal sealed class CostJournal(string output) : IDisposable
{
    private const decimal TrimsZeros = 1.000000000000000000000000000m;
    private const int Length = 160; // constant, so that one write replaces the whole line

    private FileStream? _file;

    public string Path { get; } = output + Suffix;

    public static string Suffix => ".spent";

    /// <summary>Gets what was paid and is in no record.</summary>
    public decimal Unrecorded { get; private set; }

    /// <summary>Gets the upper bound of what was in flight when a run was killed; <see langword="null"/> if none was.</summary>
    public decimal? InFlight { get; private set; }

    /// <summary>Gets a value indicating whether the file is there, but blank.</summary>
    public bool IsBlank { get; private set; }

    /// <summary>Gets or sets what writes the line; tests replace it to simulate a full disk.</summary>
    internal OutputFile.RecordWriter Writer { get; set; } = RandomAccess.Write;

    /// <summary>Reads the file of an earlier run.</summary>
    /// <exception cref="IOException">The file cannot be read, or is not a journal.</exception>
    public void Read()
    {
        if (FileStatus.Of(Path) is not { } there)
        {
            return;
        }

        PlainFile.Require(Path, there);
        try
        {
            byte[] bytes = File.ReadAllBytes(Path);
            IsBlank = !bytes.AsSpan().ContainsAnyExcept((byte)0, (byte)' ', (byte)'\n');
            if (IsBlank)
            {
                return;
            }

            using JsonDocument document = JsonDocument.Parse(bytes);
            Unrecorded = Money(document.RootElement, "unrecorded") ?? 0;
            InFlight = Money(document.RootElement, "in_flight");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new IOException(
                $"{Path}, which stores the cost that the rows do not state, cannot be read. Delete it if that cost does not matter.", e);
        }
    }

    /// <summary>Stores an upper bound of what will be spent or reserved without a record, before it is.</summary>
    public void Announce(decimal inFlight) => Write(Unrecorded, inFlight);

    /// <summary>Stores what no record states, at the end of a run.</summary>
    public void Settle(decimal unrecorded)
    {
        Unrecorded = unrecorded;
        InFlight = null;
        if (unrecorded > 0)
        {
            Write(unrecorded, null);
            return;
        }

        Delete();
    }

    /// <summary>Deletes the file: the job starts anew.</summary>
    public void Delete()
    {
        Dispose();
        File.Delete(Path);
        (Unrecorded, InFlight) = (0, null);
    }

    public void Dispose()
    {
        _file?.Dispose();
        _file = null;
    }

    private void Write(decimal unrecorded, decimal? inFlight)
    {
        if (_file is null || !FileStatus.IsAt(_file.SafeFileHandle, Path))
        {
            Dispose(); // a file that was deleted or moved away is written again
            _file = PlainFile.OpenOrCreate(Path, FileShare.ReadWrite | FileShare.Delete);
        }

        unrecorded /= TrimsZeros;
        inFlight /= TrimsZeros;
        string text = inFlight is { } bound
            ? string.Create(CultureInfo.InvariantCulture, $"{{\"unrecorded\":\"{unrecorded}\",\"in_flight\":\"{bound}\"}}")
            : string.Create(CultureInfo.InvariantCulture, $"{{\"unrecorded\":\"{unrecorded}\"}}");
        bool isNew = RandomAccess.GetLength(_file.SafeFileHandle) < Length;
        try
        {
            Writer(_file.SafeFileHandle, Encoding.ASCII.GetBytes(text.PadRight(Length - 1) + "\n"), 0);
            RandomAccess.SetLength(_file.SafeFileHandle, Length);
        }
        catch (IOException) when (isNew)
        {
            // Half a line would keep the next run from starting.
            Dispose();
            File.Delete(Path);
            throw;
        }
    }

    private static decimal? Money(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value)
        ? decimal.Parse(value.GetString()!, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture)
        : null;
}
