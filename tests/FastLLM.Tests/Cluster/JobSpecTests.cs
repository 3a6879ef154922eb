using FastLLM.Cluster.Chunks;
using FastLLM.Cluster.Client;
using FastLLM.Jobs.Planning;
using Xunit;

namespace FastLLM.Tests.Cluster;

public sealed class JobSpecTests
{
    [Fact]
    public void ToOptions_OfReadSpec_AreTheOptions()
    {
        var options = new RequestManagerOptions
        {
            Concurrency = 7,
            AdaptiveConcurrency = true,
            RateLimits = new RateLimits { RequestsPerMinute = 100, OutputTokensPerMinute = 5 },
            Timeout = TimeSpan.FromSeconds(90),
            IdleTimeout = TimeSpan.FromSeconds(20),
            TotalTimeout = TimeSpan.FromSeconds(200),
            RetryAttempts = 5,
            MaxErrors = 9,
            StreamMode = StreamMode.Auto,
            MaxThrottleWait = TimeSpan.FromDays(7),
            RefreshFinishReasons = ["length"],
        };

        RequestManagerOptions read = JobSpec.Read(new JobSpec { BaseUrl = "http://x/v1", Sending = options.ToSpec() }.ToJson())
            .ToOptions(TimeProvider.System);

        Assert.Equal(options.ToSpec() with { RefreshFinishReasons = [] }, read.ToSpec() with { RefreshFinishReasons = [] });
        Assert.Equal(["length"], read.RefreshFinishReasons);
    }

    [Fact]
    public void AnswerForm_OfReadSpec_ChecksTheSame()
    {
        AnswerForm labels = AnswerForm.OfLabels("good", "bad").InPrompt();
        AnswerForm fields = AnswerForm.OfFields("score:number");

        AnswerForm readLabels = Read(labels), readFields = Read(fields);

        Assert.True(readLabels.IsInPrompt);
        Assert.Equal((labels.Schema, labels.Check.Instruction), (readLabels.Schema, readLabels.Check.Instruction));
        Assert.Equal((fields.Schema, fields.Check.Instruction), (readFields.Schema, readFields.Check.Instruction));

        static AnswerForm Read(AnswerForm form) =>
            JobSpec.Read(new JobSpec { BaseUrl = "u", Answers = AnswerSpec.Of(form) }.ToJson()).Answers!.ToForm();
    }

    [Fact]
    public void Id_FollowsFromWhatIsAsked_NotFromTheSpeed()
    {
        RowIndex rows = Rows(1, 2), other = Rows(1, 3);
        var spec = new JobSpec { BaseUrl = "http://x/v1" };

        string id = JobIdentity.Of("/data/My rows.jsonl.gz", rows, spec);

        Assert.Matches("^my-rows-[0-9a-f]{8}$", id);
        Assert.Equal(id, JobIdentity.Of("/data/My rows.jsonl.gz", rows, spec with { Sending = new SendingSpec { Concurrency = 5 } }));
        Assert.NotEqual(id, JobIdentity.Of("/data/My rows.jsonl.gz", other, spec));
        Assert.NotEqual(id, JobIdentity.Of("/data/My rows.jsonl.gz", rows, spec with { BaseUrl = "http://y/v1" }));
        Assert.Equal(id, JobIdentity.Of(id, 1));
        Assert.Equal(id + "-2", JobIdentity.Of(id, 2));
    }

    private static RowIndex Rows(ulong first, ulong second)
    {
        var rows = new RowIndex();
        rows.Add(1, first);
        rows.Add(2, second);
        return rows;
    }
}
