using System.Globalization;
using System.Text;
using System.Text.Json;
using FastLLM.Diagnostics;

namespace FastLLM.Jobs.Output;

/// <summary>Stores in <c>OUTPUT.spent</c> the cost of a job that no record of the output states: one line of JSON, or no file if there is
/// none.</summary>
/// <remarks><c>unrecorded</c> was paid for records that no longer exist, and for rows without one. <c>in_flight</c> exists only during a
/// run with a budget: an upper bound of what is spent or reserved and in no record yet. A killed run leaves it. <c>factor</c> is how much
/// more than its worst case an answer has cost, until the job is done. <c>worst_cases</c> counts the sends of runs without a budget whose
/// cost is unknown and that no record states. A file that a full disk did not let be written is deleted again, and
/// one that a power loss left blank is none. Not safe for concurrent use; the lock of the output covers it.</remarks>
internal sealed class CostJournal(string output) : IDisposable
{
    private const decimal TrimsZeros = 1.000000000000000000000000000m;
    private const decimal MaxFactor = 1_000_000;
    private const int Length = 160; // constant, so that one write replaces the whole line

    private FileStream? _file;

    public string Path { get; } = output + Suffix;

    public static string Suffix => ".spent";

    /// <summary>Gets what was paid and is in no record.</summary>
    public decimal Unrecorded { get; private set; }

    /// <summary>Gets the upper bound of what was in flight when a run was killed; <see langword="null"/> if none was.</summary>
    public decimal? InFlight { get; private set; }

    /// <summary>Gets how much more than its worst case an answer has cost; 1 if none has cost more.</summary>
    public decimal Factor { get; private set; } = 1;

    /// <summary>Gets how many worst cases of a row may have been paid by runs without a budget, beside what is known.</summary>
    public long WorstCases { get; private set; }

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
            Factor = Math.Max(1, Money(document.RootElement, "factor") ?? 1);
            WorstCases = (long)(Money(document.RootElement, "worst_cases") ?? 0);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new IOException(
                $"{Path}, which stores the cost that the rows do not state, cannot be read. Delete it if that cost does not matter.", e);
        }
    }

    /// <summary>Stores an upper bound of what will be spent or reserved without a record, before it is.</summary>
    public void Announce(decimal inFlight, decimal factor)
    {
        Factor = Rounded(factor);
        Write(Unrecorded, inFlight);
    }

    /// <summary>Stores what no record states, at the end of a run, and what the next run of the job has to expect.</summary>
    public void Settle(decimal unrecorded, decimal factor, long worstCases)
    {
        Unrecorded = unrecorded;
        InFlight = null;
        Factor = Rounded(factor);
        WorstCases = worstCases;
        if (unrecorded > 0 || factor > 1 || worstCases > 0)
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
        (Unrecorded, InFlight, Factor, WorstCases) = (0, null, 1, 0);
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
        string others = Member("in_flight", inFlight) + Member("factor", Factor > 1 ? Factor : null)
            + Member("worst_cases", WorstCases > 0 ? WorstCases : null);
        string text = string.Create(CultureInfo.InvariantCulture, $"{{\"unrecorded\":\"{unrecorded}\"{others}}}");
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

    private static string Member(string name, decimal? value) =>
        value is null ? "" : string.Create(CultureInfo.InvariantCulture, $",\"{name}\":\"{value}\"");

    // Upwards, and short: the line has a fixed length.
    private static decimal Rounded(decimal factor) => Math.Min(Math.Ceiling(factor * 1000) / 1000, MaxFactor);

    private static decimal? Money(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value)
        ? decimal.Parse(value.GetString()!, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture)
        : null;
}
