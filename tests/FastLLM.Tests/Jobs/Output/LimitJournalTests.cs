using FastLLM.Jobs.Output;
using FastLLM.RateLimiting;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Jobs.Output;

/// <summary>What was sent is stored whatever happens to the file, or the user is told that it is not.</summary>
public sealed class LimitJournalTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly ManualTimeProvider _time = new();
    private readonly List<string> _warnings = [];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Announce_FileOrFolderIsGone_WritesItAgain(bool withFolder)
    {
        string folder = Directory.CreateDirectory(_folder.In("jobs")).FullName;
        string output = Path.Combine(folder, "out.jsonl");
        using LimitJournal journal = Journal(output);
        journal.Announce(Sent(1));
        if (withFolder)
        {
            Directory.Delete(folder, recursive: true);
            journal.Announce(Sent(2));
            Directory.CreateDirectory(folder);
        }
        else
        {
            File.Delete(output + LimitJournal.Suffix);
        }

        journal.Announce(Sent(3));

        Assert.Equal(3, Assert.Single(Journal(output).Read().Sent).Amounts[0][0]);
        Assert.Equal(withFolder ? 1 : 0, _warnings.Count);
    }

    [Fact]
    public void Announce_NameIsTooLong_SaysSoOnce()
    {
        using LimitJournal journal = Journal(_folder.In(new string('a', 243) + ".jsonl"));
        journal.Announce(Sent(1));
        journal.Announce(Sent(2));

        Assert.Contains("cannot be written", Assert.Single(_warnings), StringComparison.Ordinal);
    }

    private static SentMinute Sent(double requests) => new("m", [[requests]]);

    private LimitJournal Journal(string output) =>
        new(output, _time, text => _warnings.Add(FormattableString.Invariant(text)));
}
