using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Win32.SafeHandles;

namespace FastLLM.Jobs.Output;

/// <summary><c>OUTPUT.spent</c>: the money of a job that no record of OUTPUT tells, in one line of JSON. There is no such file where there is none.</summary>
/// <remarks>
/// <c>unrecorded</c> is known: what was paid for records that are no longer there, and for rows that have none yet. <c>in_flight</c> stands there only while a run
/// with a budget goes on: the most that may be spent or set aside at once and stands in no record yet. A killed run leaves it.
/// Not safe for concurrent use; the lock of OUTPUT is its lock too.
/// </remarks>
internal sealed class CostJournal(string output) : IDisposable
{
    private const decimal NoZerosAtItsEnd = 1.000000000000000000000000000m;
    private const int Length = 160; // always the same: one write replaces the whole

    private SafeFileHandle? _file;

    public string Path { get; } = output + Suffix;

    public static string Suffix => ".spent";

    /// <summary>What is known to be paid and stands in no record.</summary>
    public decimal Unrecorded { get; private set; }

    /// <summary>What may have been in flight when a run was killed; <see langword="null"/> where none was.</summary>
    public decimal? InFlight { get; private set; }

    /// <summary>Reads what an earlier run left.</summary>
    /// <exception cref="IOException">It cannot be read, or is something else.</exception>
    public void Read()
    {
        if (!File.Exists(Path))
        {
            return;
        }

        OutputFile.RefuseLink(Path);
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path));
            Unrecorded = Money(document.RootElement, "unrecorded") ?? 0;
            InFlight = Money(document.RootElement, "in_flight");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or OverflowException)
        {
            throw new IOException($"{Path} should tell what was spent on this output beside its rows, but cannot be read. Remove it if what it told does not matter.", e);
        }
    }

    /// <summary>Before sends: no more than this will be spent or set aside at once without a record.</summary>
    public void Announce(decimal inFlight) => Write(Unrecorded, inFlight);

    /// <summary>At the end: this is what no record tells.</summary>
    public void Settle(decimal unrecorded)
    {
        Unrecorded = unrecorded;
        InFlight = null;
        if (unrecorded > 0)
        {
            Write(unrecorded, null);
            return;
        }

        Dispose();
        File.Delete(Path);
    }

    /// <summary>The job begins anew.</summary>
    public void Forget()
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
        if (_file is null)
        {
            OutputFile.RefuseLink(Path);
            _file = File.OpenHandle(Path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        }

        unrecorded /= NoZerosAtItsEnd;
        inFlight /= NoZerosAtItsEnd;
        string text = inFlight is { } most
            ? string.Create(CultureInfo.InvariantCulture, $"{{\"unrecorded\":\"{unrecorded}\",\"in_flight\":\"{most}\"}}")
            : string.Create(CultureInfo.InvariantCulture, $"{{\"unrecorded\":\"{unrecorded}\"}}");
        RandomAccess.Write(_file, Encoding.ASCII.GetBytes(text.PadRight(Length - 1) + "\n"), 0);
        RandomAccess.SetLength(_file, Length);
    }

    private static decimal? Money(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value)
        ? decimal.Parse(value.GetString()!, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture)
        : null;
}
