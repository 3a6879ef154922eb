using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using FastLLM.Tests.Docs;
using Xunit;

namespace FastLLM.Tests.Samples;

/// <summary>The web sample under load, as a process of its own.</summary>
[Collection(SampleTests.Collection)]
public sealed class AspNetSampleTests
{
    private const int Callers = 200;
    private const int CallsEach = 10;
    private const int Questions = 400;

    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Sample_ManyCallersAtOnce_AllAnsweredAndEachQuestionSentOnce()
    {
        using Process app = Start();
        try
        {
            using var http = new HttpClient { BaseAddress = await AddressAsync(app), Timeout = Timeout.InfiniteTimeSpan };

            await Task.WhenAll(Enumerable.Range(0, Callers).Select(async caller =>
            {
                for (int call = 0; call < CallsEach; call++)
                {
                    string question = $"question {((caller * CallsEach) + call) % Questions}";
                    string answer = await http.GetStringAsync($"/ask?question={Uri.EscapeDataString(question)}", Ended);
                    Assert.EndsWith(question, answer, StringComparison.Ordinal);
                }
            }));

            JsonElement stats = await http.GetFromJsonAsync<JsonElement>("/stats", Ended);
            Assert.Equal(
                (Callers * CallsEach, Questions, 0),
                (stats.GetProperty("requestsCompleted").GetInt32(), stats.GetProperty("sent").GetInt32(), stats.GetProperty("failed").GetInt32()));
            Assert.Equal(
                (Callers * CallsEach) - Questions, stats.GetProperty("shared").GetInt32() + stats.GetProperty("cacheHits").GetInt32());
            Assert.Equal("8", await http.GetStringAsync("/embed?text=a", Ended));
            using HttpResponseMessage health = await http.GetAsync("/health", Ended);
            Assert.Equal((HttpStatusCode.OK, "Healthy"), (health.StatusCode, await health.Content.ReadAsStringAsync(Ended)));
        }
        finally
        {
            app.Kill(entireProcessTree: true);
            await app.WaitForExitAsync(CancellationToken.None);
        }
    }

    private static Process Start()
    {
        var start = new ProcessStartInfo("dotnet", ["run", Path.Combine(Vocabulary.Root, "samples", "aspnet.cs"), "--", "--urls", "http://127.0.0.1:0"])
        {
            RedirectStandardOutput = true,
        };
        start.Environment.Remove("FastLLM__ApiKey");
        return Process.Start(start)!;
    }

    private static async Task<Uri> AddressAsync(Process app)
    {
        const string listening = "Now listening on: ";
        while (await app.StandardOutput.ReadLineAsync(Ended) is { } line)
        {
            if (line.Contains(listening, StringComparison.Ordinal))
            {
                // The rest is read too: a full pipe would stop the application.
                _ = app.StandardOutput.ReadToEndAsync(CancellationToken.None);
                return new Uri(line[(line.IndexOf(listening, StringComparison.Ordinal) + listening.Length)..]);
            }
        }

        throw new InvalidOperationException("The sample ended before it listened.");
    }
}
