using System.Globalization;
using System.Text;
using FastLLM.Jobs.Output;
using FastLLM.TestKit;
using FastLLM.Tests.Pipeline;
using Xunit;

namespace FastLLM.Tests.Jobs;

/// <summary>A budget covers also what earlier runs paid without stating it in the output.</summary>
public sealed class UnstatedCostTests : PaidJobTest
{
    private const string Usage = ""","usage":{"prompt_tokens":50,"completion_tokens":10,"total_tokens":60}""";

    // One token per byte of the body, 256 for what a server adds, and 100 for the answer.
    private static decimal WorstCase => (Body(0).Length + 256 + 100) * Price;

    [Fact]
    public async Task RunAsync_EarlierRunWithoutPrices_CountsItsUsage()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(Usage)));
        WriteInput(10);
        await RunAsync(server.ApiBase, null, o => o.Limit = 6, o => o.Prices = null);
        decimal budget = (6 * 60 * Price) + (WorstCase * 1.2m);

        JobPlan plan = await PlanAsync(server.ApiBase, budget);
        Assert.Equal(360 * Price, plan.Spent);
        Assert.Contains("6 records of", Assert.Single(Notices, IsAboutCosts), StringComparison.Ordinal);
        JobResult result = await RunAsync(server.ApiBase, budget);

        Assert.Equal(FailureKind.BudgetExhausted, result.Stopped?.Kind);
        Assert.Equal(server.Requests.Count * 60 * Price, result.JobCost);
        Assert.InRange(result.JobCost, 360 * Price, budget);
        Assert.Equal(2, Notices.Count(IsAboutCosts));

        result = await RunAsync(server.ApiBase, 1);
        Assert.Equal((10, 600 * Price), (server.Requests.Count, result.JobCost));
        result = await RunAsync(server.ApiBase, 1);
        Assert.Equal((10, 600 * Price), (server.Requests.Count, result.JobCost)); // counted once, although the records are sorted now
    }

    [Fact]
    public async Task RunAsync_EqualRowsOfARunWithoutPrices_CountOnce()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(Usage)));
        File.WriteAllLines(Input, [Row("a", 1), Row("b", 1), Row("c", 2)]);
        await RunAsync(server.ApiBase, null, sending: o => o.Prices = null);

        JobResult result = await RunAsync(server.ApiBase, 1);

        Assert.Equal((2, 120 * Price), (server.Requests.Count, result.JobCost));
    }

    [Fact]
    public async Task RunAsync_EarlierAnswersWithoutUsage_CountTheirWorstCase()
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer("")));
        WriteInput(5);
        await RunAsync(server.ApiBase, null, o => o.Limit = 3);

        JobResult result = await RunAsync(server.ApiBase, 1);

        Assert.Equal(5 * WorstCase, result.JobCost);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task RunAsync_EarlierSendsOfUnknownOutcome_CountTheirWorstCaseForGood(bool replacesThemWithoutBudget)
    {
        const int sends = 4;
        var fails = true;
        await using var server = FaultServer.Start((_, connection) => fails ? connection.RespondAsync(504, default) : connection.RespondAsync(200, Answer(Usage)));
        WriteInput(2);
        JobResult first = await RunAsync(server.ApiBase, null, sending: o => o.RetryAttempts = 2);
        Assert.Equal((2L, sends), (first.Failed, server.Requests.Count));
        Assert.All(File.ReadAllLines(Output), line => Assert.Contains("\"maybe_billed\":2", line, StringComparison.Ordinal));
        fails = false;

        if (replacesThemWithoutBudget)
        {
            Assert.Equal(2, (await RunAsync(server.ApiBase, null, o => o.RetryFailed = true)).Answered);
        }

        for (var i = 0; i < 3; i++)
        {
            JobResult result = await RunAsync(server.ApiBase, 1, o => o.RetryFailed = true);
            Assert.Equal((120 * Price) + (sends * WorstCase), result.JobCost);
        }
    }

    [Fact]
    public async Task RunAsync_EarlierCorrections_CountEverySend()
    {
        // No answer, one without usage that does not fit, no answer, and the correction.
        var sends = 0;
        await using var server = FaultServer.Start((_, connection) => (Interlocked.Increment(ref sends) % 4) switch
        {
            2 => connection.RespondAsync(200, Answer("")),
            0 => connection.RespondAsync(200, Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(Answer(Usage)).Replace("fine", "good", StringComparison.Ordinal))),
            _ => connection.RespondAsync(504, default),
        });
        WriteInput(1);
        JobResult first = await RunAsync(server.ApiBase, null, o => o.Answers = AnswerForm.OfLabels("good", "bad"));
        Assert.Equal((1L, 4), (first.Answered, server.Requests.Count));
        Assert.Contains("\"maybe_billed\":2,\"unpriced\":3", File.ReadAllText(Output), StringComparison.Ordinal);

        JobPlan plan = await PlanAsync(server.ApiBase, 1);

        Assert.InRange(plan.Spent, (60 * Price) + (4 * WorstCase), (60 * Price) + (5 * WorstCase));
    }

    /// <summary>The member <c>fastllm</c> without its key and braces, the answer's usage, and what counts: tokens beside worst cases.</summary>
    public static TheoryData<string, string, int, int> Records => new()
    {
        { "\"attempts\":1", Usage, 60, 0 },
        { "\"attempts\":0,\"cached\":true", Usage, 0, 0 },
        { "\"attempts\":1,\"cost\":0.00007", Usage, 70, 0 },
        { "\"attempts\":1,\"maybe_billed\":0", Usage, 60, 0 },
        { "\"attempts\":3,\"maybe_billed\":2", Usage, 60, 2 },
        { "\"attempts\":3,\"cost\":0.00006,\"maybe_billed\":2", Usage, 60, 2 }, // without a budget
        { "\"attempts\":2,\"cost\":0.09,\"maybe_billed\":1", Usage, 90_000, 0 }, // with one
        { "\"attempts\":2,\"maybe_billed\":1", "", 0, 2 },
        { "\"attempts\":2,\"corrected\":true", Usage, 60, 1 },
        { "\"attempts\":2,\"corrected\":true", "", 0, 3 },
        { "\"attempts\":3,\"cost\":0.00012,\"maybe_billed\":1,\"unpriced\":1", Usage, 120, 1 },
        { "\"attempts\":2,\"cost\":0.00006,\"corrected\":true,\"unpriced\":1", Usage, 60, 1 },
        { "\"attempts\":3,\"cost\":0.00012,\"corrected\":true,\"maybe_billed\":1,\"unpriced\":1", Usage, 120, 2 },
        { "\"attempts\":4,\"cost\":0.09,\"failure\":\"invalid_answer\",\"answers\":[\"x\",\"y\"],\"maybe_billed\":2,\"unpriced\":2", "failed", 90_000, 4 },
        { "\"attempts\":2,\"failure\":\"content_filter\",\"unpriced\":1", "failed", 0, 1 },
        { "\"attempts\":2,\"failure\":\"invalid_answer\",\"answers\":[\"x\",\"y\"],\"unpriced\":2", "failed", 0, 3 },
        { "\"attempts\":2,\"corrected\":true,\"unpriced\":1", Usage, 60, 1 },
        { "\"attempts\":2,\"corrected\":true,\"unpriced\":1", "", 0, 3 },
        { "\"attempts\":2,\"maybe_billed\":1,\"unpriced\":1", "", 0, 2 },
        { "\"attempts\":1,\"failure\":\"invalid_request\",\"message\":\"x\"", "failed", 0, 0 },
        { "\"attempts\":1,\"failure\":\"timeout\",\"maybe_billed\":1", "failed", 0, 1 },
        { "\"attempts\":1,\"failure\":\"invalid_answer\",\"answers\":[\"x\"]", "failed", 0, 1 },
        { "\"attempts\":2,\"failure\":\"invalid_answer\",\"answers\":[\"x\",\"y\"]", "failed", 0, 3 },
    };

    [Theory]
    [MemberData(nameof(Records), DisableDiscoveryEnumeration = true)]
    public async Task PlanAsync_EarlierRecord_CountsWhatItDoesNotState(string own, string usage, int tokens, int worstCases)
    {
        WriteInput(1);
        File.WriteAllLines(Output, [Record(0, own, usage)]);

        JobPlan plan = await PlanAsync("http://127.0.0.1:1/v1", 1);

        Assert.Equal((tokens * Price) + (worstCases * WorstCase), plan.Spent);
        Assert.Equal(0, (await PlanAsync("http://127.0.0.1:1/v1", null)).Spent - (own.Contains("cost", StringComparison.Ordinal) ? tokens * Price : 0));
    }

    [Theory]
    [InlineData("\"attempts\":1", Usage, 60)]
    [InlineData("\"attempts\":2,\"cost\":0.09,\"maybe_billed\":1", Usage, 90_000)]
    [InlineData("\"attempts\":2,\"cost\":0.00006,\"maybe_billed\":1", Usage, null)]
    [InlineData("\"attempts\":1", "", null)]
    [InlineData("\"attempts\":1,\"failure\":\"timeout\",\"maybe_billed\":1", "failed", null)]
    public async Task RunAsync_RowIsNoLongerInTheInput_CountsOrRefuses(string own, string usage, int? tokens)
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(Usage)));
        WriteInput(1);
        File.WriteAllLines(Output, [Record(1, own, usage)]);

        if (tokens is { } known)
        {
            Assert.Equal((known + 60) * Price, (await RunAsync(server.ApiBase, 1)).JobCost);
            Assert.Equal((known + 60) * Price, (await RunAsync(server.ApiBase, 1)).JobCost);
            return;
        }

        foreach (Func<Task> start in (Func<Task>[])[() => PlanAsync(server.ApiBase, 1), () => RunAsync(server.ApiBase, 1)])
        {
            var refused = await Assert.ThrowsAsync<InvalidDataException>(start);
            Assert.Contains("1 of its records", refused.Message, StringComparison.Ordinal);
            Assert.Contains("\"row-1\": its row is not in the input", refused.Message, StringComparison.Ordinal);
        }

        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData("drained", 504)]
    [InlineData("aborted", 0)]
    [InlineData("stopped", 200)]
    public async Task RunAsync_EarlierRunLeftSendsWithoutRecord_CountsTheirWorstCaseForGood(string end, int status)
    {
        const int rows = 12;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(Ended);
        var fails = true;
        await using var server = FaultServer.Start(async (_, connection) =>
        {
            if (!fails)
            {
                await connection.RespondAsync(200, Answer(Usage));
                return;
            }

            if (end != "stopped")
            {
                await ending.CancelAsync();
            }

            if (status != 0)
            {
                await connection.RespondAsync(status, "<html>"u8.ToArray());
            }
        });
        WriteInput(rows);
        await using (RequestManager manager = Manager(server.ApiBase, null, o => (o.Concurrency, o.Prices) = (1, null)))
        {
            (CancellationToken drain, CancellationToken abort) = end == "aborted" ? (CancellationToken.None, ending.Token) : (ending.Token, Ended);
            JobResult first = await Job.RunAsync(manager, Options(null), drain, abort);
            Assert.Equal((0, rows), (first.Answered + first.Failed, first.Pending));
        }

        int sends = server.Requests.Count;
        decimal highest = (Body(rows - 1).Length + 256 + 100) * Price;
        fails = false;
        await RunAsync(server.ApiBase, null, o => o.Limit = 1); // leaves nothing
        Assert.Equal((60 * Price) + (sends * highest), (await PlanAsync(server.ApiBase, 1)).Spent);
        Assert.Contains(Notices, notice => notice.StartsWith($"{sends} sends of earlier runs have no record", StringComparison.Ordinal));

        for (var i = 0; i < 2; i++)
        {
            Assert.Equal((rows * 60 * Price) + (sends * highest), (await RunAsync(server.ApiBase, 1)).JobCost);
        }

        Assert.Equal(rows * 60 * Price, (await RunAsync(server.ApiBase, 1, o => o.Fresh = true)).JobCost);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task RunAsync_RecordsLeftTheOutputWithoutABudget_StillCount(bool ofAnotherInput, bool hasPrices)
    {
        await using var server = FaultServer.Start((_, connection) => connection.RespondAsync(200, Answer(Usage)));
        WriteInput(2);
        await RunAsync(server.ApiBase, null, sending: o => o.Prices = null);
        File.WriteAllLines(Input, ofAnotherInput ? [Row("other", 8), Row("one", 9)] : [Row("row-0", 0), Row("row-1", 1)]);

        for (var i = 0; i < 2; i++)
        {
            bool refreshes = i == 0 && !ofAnotherInput;
            await RunAsync(server.ApiBase, null, sending: o =>
            {
                o.Prices = hasPrices ? Prices : null;
                o.RefreshFinishReasons = refreshes ? [RequestManagerOptions.AnyFinishReason] : [];
            });
        }

        Assert.Equal(4, server.Requests.Count);
        Assert.Equal((120 * Price) + (2 * (hasPrices ? 60 * Price : WorstCase)), (await PlanAsync(server.ApiBase, 1)).Spent);
        Assert.Equal((120 * Price) + (2 * (hasPrices ? 60 * Price : WorstCase)), (await RunAsync(server.ApiBase, 1)).JobCost);
    }

    [Fact]
    public async Task RunAsync_EarlierRecordIsDroppedByALaterSort_StillCounts()
    {
        var fails = true;
        await using var server = FaultServer.Start((_, connection) => fails ? connection.RespondAsync(504, default) : connection.RespondAsync(200, Answer(Usage)));
        WriteInput(2);
        await RunAsync(server.ApiBase, null, sending: o => (o.RetryAttempts, o.Prices) = (1, null));
        fails = false;
        await RunAsync(server.ApiBase, null, o => (o.RetryFailed, o.Order) = (true, ResultOrder.Completion), o => o.Prices = null);
        Assert.Equal(4, File.ReadLines(Output).Count());

        await RunAsync(server.ApiBase, null, sending: o => o.Prices = null);

        Assert.Equal(2, File.ReadLines(Output).Count());
        Assert.Equal((120 * Price) + (2 * WorstCase), (await PlanAsync(server.ApiBase, 1)).Spent);
    }

    [Fact]
    public async Task RunAsync_AnsweringModelOfAForeignRowWithoutPrice_IsNamed()
    {
        WriteInput(1);
        File.WriteAllLines(Output, [Record(1, "\"attempts\":1", Usage).Replace("\"model\":\"m\"", "\"model\":\"nobody's\"", StringComparison.Ordinal)]);

        var refused = await Assert.ThrowsAsync<InvalidDataException>(() => RunAsync("http://127.0.0.1:1/v1", 1));

        Assert.Contains("\"nobody's\" has no known price", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task PlanAsync_RecordOfAnotherTool_IsNoRun()
    {
        WriteInput(1);
        File.WriteAllLines(Output, [$$"""{"id":"batch_req_1","custom_id":"row-0","response":{"status_code":200,"request_id":"r","body":{{Encoding.UTF8.GetString(Answer(Usage))}}},"error":null}"""]);

        Assert.Equal(0, (await PlanAsync("http://127.0.0.1:1/v1", 1)).Spent);
    }

    private static bool IsAboutCosts(string notice) => notice.Contains("do not state all they cost", StringComparison.Ordinal);

    private static byte[] Answer(string usage) => Encoding.UTF8.GetBytes(
        $$"""{"id":"x","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"fine"},"finish_reason":"stop"}]{{usage}}}""");

    private static string Record(int number, string own, string usage)
    {
        var key = RequestKey.Compute("/v1/chat/completions", Encoding.UTF8.GetBytes(Body(number)));
        string outcome = usage == "failed" ? "\"response\":null,\"error\":{\"code\":\"x\",\"message\":\"y\"}"
            : $$"""
               "response":{"status_code":200,"request_id":"{{key}}","body":{{Encoding.UTF8.GetString(Answer(usage))}}},"error":null
               """;
        return string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"id":"{{OutputRecord.IdOf(key.ToString())}}","custom_id":"row-{{number}}",{{outcome}},"fastllm":{"key":"{{key}}",{{own}} } }""");
    }
}
