using System.Diagnostics;
using Microsoft.Playwright;
using Xunit;

namespace FastLLM.BrowserTests;

/// <summary>The page as a browser sees it.</summary>
public sealed class ReportTests(ReportBrowser browser) : IClassFixture<ReportBrowser>
{
    // What models have been talked into saying, and what breaks pages: each tries to mark the window, or to load something.
    private static readonly string[] s_hostile =
    [
        "</script><script>window.broken = 1</script>",
        "<!--<script>window.broken = 2",
        "]]></script><svg onload=\"window.broken = 3\">",
        "<img src=x onerror=\"window.broken = 4\">",
        "<img src=http://127.0.0.1:9/pixel.png><link rel=stylesheet href=http://127.0.0.1:9/a.css>",
        "<style>*{display:none}</style><base href=//127.0.0.1:9/>",
        "[click](javascript:window.broken=5) <a href=\"javascript:window.broken=6\">me</a>",
        "\" autofocus onfocus=\"window.broken = 7\" x=\"",
        "' onmouseover='window.broken = 8",
        "${window.broken = 9} {{window.broken = 10}} `window.broken = 11`",
        "line\u2028separator\u2029paragraph\u0085next",
        "\u001b[31mred\u001b[0m \u001b]0;title\u0007 \u009b2J",
        "zero\0byte and \u0001\u0008\u007f",
        "\u202Eesrever\u202C \u2066isolate \u200Fmark",
        "&lt;b&gt; &amp; &#60;script&#62; \\u003cscript\\u003e",
        "<meta http-equiv=refresh content=\"0;url=http://127.0.0.1:9/\">",
        "<iframe srcdoc=\"<script>parent.broken = 12</script>\"></iframe><object data=http://127.0.0.1:9/></object>",
        "__proto__ constructor toString",
        "😀 \uFFFD \uFEFF e\u0301 " + "a" + new string('\u0300', 500),
    ];

    private static ITestOutputHelper Out => TestContext.Current.TestOutputHelper!;

    [Fact]
    public async Task HostileText_StaysText()
    {
        List<string> lines = [.. s_hostile.Select((text, i) => Lines.Answer($"{i} {text}", text, model: text, finishReason: text))];
        lines.AddRange(s_hostile.Select((text, i) => Lines.Failure($"f{i} {text}", text, text)));
        lines.Add(Lines.Answer("with metadata", "x", own: new { metadata = s_hostile, limited_by = s_hostile[0], at = s_hostile[1], cost = s_hostile[2] }));
        await using OpenReport report = await browser.OpenAsync(lines);

        await Assertions.Expect(report.Rows).ToHaveCountAsync(lines.Count);
        for (var i = 0; i < lines.Count; i++)
        {
            ILocator button = report.Rows.Nth(i).Locator("button");
            await button.FocusAsync();
            await button.PressAsync("Enter");
            await report.Rows.Nth(i).HoverAsync(new() { Position = new() { X = 5, Y = 5 } });
        }

        await Assertions.Expect(report.Page.Locator("tr.detail")).ToHaveCountAsync(lines.Count);
        Assert.Null(await report.Page.EvaluateAsync<object?>("() => window.broken ?? null"));
        Assert.Equal(0, await report.Page.Locator("img, iframe, object, a:not([href^='#row-']), base, link, main style, main script, main meta").CountAsync());
        Assert.Equal(s_hostile[3], await report.Page.Locator("tr.detail").Nth(3).Locator("pre").First.TextContentAsync());
        Assert.Contains("zero␀byte", await report.Page.Locator("tr.detail").Nth(12).Locator("pre").First.TextContentAsync(), StringComparison.Ordinal);
        Assert.Contains("⟨U+202E⟩esrever", await report.Rows.Nth(13).TextContentAsync(), StringComparison.Ordinal);
        report.AssertNothingWentWrong();
    }

    [Fact]
    public async Task InjectedScript_IsBlockedByThePolicy()
    {
        // As if a text had got into the page as HTML after all.
        await using OpenReport report = await browser.OpenAsync(
            [Lines.Answer("a", "x")],
            page => page.Replace("</main>", "<img src=x onerror=\"window.broken=1\"><script>window.broken=2</script><div id=got-in></div></main>", StringComparison.Ordinal));

        Assert.Equal(1, await report.Page.Locator("#got-in").CountAsync());
        Assert.Null(await report.Page.EvaluateAsync<object?>("() => window.broken ?? null"));
        Assert.Equal("TypeError", await report.Page.EvaluateAsync<string>("() => { try { document.body.innerHTML = '<p>'; return 'set'; } catch (e) { return e.name; } }"));
    }

    [Fact]
    public async Task LongAnswer_IsCut_AndReportsItsLine()
    {
        await using OpenReport report = await browser.OpenAsync([Lines.Answer("small", "x"), Lines.Answer("big", new string('y', 1 << 20))]);

        await report.Rows.Nth(1).Locator("button").ClickAsync();

        await Assertions.Expect(report.Page.Locator("tr.detail")).ToContainTextAsync("characters more in line 2 of the file");
        await Assertions.Expect(report.Page.Locator(".notes")).ToContainTextAsync("cuts 1 answer at 32,768 characters");
        report.AssertNothingWentWrong();
    }

    [Fact]
    public async Task TwentyThousandRows_CanBeSearched()
    {
        await using OpenReport report = await browser.OpenAsync(Lines.Run(20_000));
        Out.WriteLine($"20,000 rows: drawn after {report.LoadMilliseconds:0} ms");

        var watch = Stopwatch.StartNew();
        await report.FindAsync("needle 17123 END", rows: 1);
        Out.WriteLine($"a row found by its text after {watch.ElapsedMilliseconds} ms, typing and its pause included");

        await Assertions.Expect(report.Rows.First).ToContainTextAsync("row-17123");
        await Assertions.Expect(report.Rows.First.Locator("mark")).ToHaveTextAsync("Needle 17123 end");
        await report.FindAsync("no such words", rows: 0);
        report.AssertNothingWentWrong();
    }

    // Takes half a minute: dotnet FastLLM.BrowserTests.dll -explicit only -showLiveOutput
    [Fact(Explicit = true)]
    public async Task TwoHundredThousandRows_ShowASelection()
    {
        await using OpenReport report = await browser.OpenAsync(Lines.Run(200_000));
        Out.WriteLine($"200,000 rows: drawn after {report.LoadMilliseconds:0} ms");

        await Assertions.Expect(report.Page.Locator(".notes")).ToContainTextAsync("50,000 of 200,000 rows");
        var watch = Stopwatch.StartNew();
        await report.FindAsync("row-199949", rows: 1);
        Out.WriteLine($"a row found by its id after {watch.ElapsedMilliseconds} ms, typing and its pause included");
        report.AssertNothingWentWrong();
    }

    [Fact]
    public async Task FailureKind_Clicked_ShowsItsRows()
    {
        await using OpenReport report = await browser.OpenAsync(Lines.Run(500));

        await report.Page.GetByRole(AriaRole.Button, new() { Name = "context_length", Exact = true }).ClickAsync();

        await Assertions.Expect(report.Rows).ToHaveCountAsync(10);
        await Assertions.Expect(report.Page.Locator("#found")).ToHaveTextAsync("10 of 500 rows");
        await Assertions.Expect(report.Rows.First).ToContainTextAsync("The prompt is too long.");
        report.AssertNothingWentWrong();
    }

    [Fact]
    public async Task AnswersWithFields_AreShownAndFilteredByThem()
    {
        string[] moods = ["good", "bad", "very good"];
        await using OpenReport report = await browser.OpenAsync(Enumerable.Range(0, 30).Select(i => i == 29 ? Lines.Failure("f", "timeout", "good")
            : Lines.Answer($"good {i}", $$"""{"mood":"{{moods[i % 3]}}","price":{{i}}}""")));

        await Assertions.Expect(report.Rows.First).ToContainTextAsync("mood: good · price: 0");
        await report.Page.GetByRole(AriaRole.Button, new() { Name = "good", Exact = true }).ClickAsync();

        await Assertions.Expect(report.Rows).ToHaveCountAsync(10);
        await Assertions.Expect(report.Page.Locator("#found")).ToHaveTextAsync("10 of 30 rows");
        await report.Rows.First.Locator("button").PressAsync("Enter");
        await Assertions.Expect(report.Page.Locator("tr.detail dl.columns")).ToHaveTextAsync("moodgoodprice0");
        Assert.Equal(1, await report.Page.Locator("optgroup[label=mood]").CountAsync());
        Assert.Equal(0, await report.Page.Locator("optgroup[label=price]").CountAsync()); // every value is another one
        report.AssertNothingWentWrong();
    }

    [Fact]
    public async Task Table_PagesSortsAndOpensRowsByKeyboard()
    {
        await using OpenReport report = await browser.OpenAsync(Lines.Run(250));
        await Assertions.Expect(report.Rows).ToHaveCountAsync(100);

        await report.Page.Locator("#next").PressAsync("Enter");
        await Assertions.Expect(report.Page.Locator("#page")).ToHaveTextAsync("101 – 200 of 250");

        ILocator latency = report.Page.GetByRole(AriaRole.Button, new() { Name = "Latency", Exact = true });
        await latency.PressAsync("Enter");
        await Assertions.Expect(report.Page.GetByRole(AriaRole.Columnheader, new() { Name = "Latency" })).ToHaveAttributeAsync("aria-sort", "descending");
        string slowest = (await report.Rows.First.Locator("td").Nth(3).TextContentAsync())!;
        await latency.PressAsync("Enter");
        Assert.NotEqual(slowest, await report.Rows.First.Locator("td").Nth(3).TextContentAsync());

        ILocator first = report.Rows.First.Locator("button");
        await first.PressAsync("Enter");
        await Assertions.Expect(first).ToHaveAttributeAsync("aria-expanded", "true");
        await Assertions.Expect(report.Page.Locator("tr.detail")).ToHaveCountAsync(1);
        await first.PressAsync("Enter");
        await Assertions.Expect(report.Page.Locator("tr.detail")).ToHaveCountAsync(0);
        report.AssertNothingWentWrong();
    }

    [Fact]
    public async Task RowLink_OpensItsRow_WhateverWasSearched()
    {
        await using OpenReport report = await browser.OpenAsync(Lines.Run(250));
        await report.FindAsync("row-249", rows: 1);

        await report.Page.EvaluateAsync("() => { location.hash = '#row-row-200'; }");

        await Assertions.Expect(report.Page.Locator("tr.detail")).ToContainTextAsync("row-200");
        await Assertions.Expect(report.Page.Locator("#found")).ToHaveTextAsync("250 rows");
        await Assertions.Expect(report.Page.Locator("tr.detail a")).ToHaveAttributeAsync("href", "#row-row-200");
        report.AssertNothingWentWrong();
    }

    [Fact]
    public async Task FrequentAnswer_Clicked_ShowsItsRows_AndColumnsAreNamed()
    {
        IEnumerable<string> lines = Enumerable.Range(1, 30).Select(i => Lines.Answer(
            $"r{i}", i % 3 == 0 ? "bad" : "good", own: new { attempts = 1, metadata = new { id = $"r{i}", text = $"Review {i}" } }));
        await using OpenReport report = await browser.OpenAsync(lines);

        await report.Page.GetByRole(AriaRole.Button, new() { Name = "bad", Exact = true }).ClickAsync();
        await Assertions.Expect(report.Rows).ToHaveCountAsync(10);
        await Assertions.Expect(report.Rows.First.Locator("td.question")).ToHaveTextAsync("Review 3");
        await report.Rows.First.Locator("button").ClickAsync();
        await Assertions.Expect(report.Page.Locator("dl.columns dt")).ToHaveTextAsync(["id", "text"]);
        report.AssertNothingWentWrong();
    }

    [Theory]
    [InlineData(390)]
    [InlineData(1280)]
    public async Task Tiles_FillEveryLine(int width)
    {
        await using OpenReport report = await browser.OpenAsync(Lines.Run(300));
        await report.Page.SetViewportSizeAsync(width, 900);

        // The last tile ends where the box of tiles ends: no part of a line is empty.
        Assert.True(await report.Page.EvaluateAsync<bool>(
            "() => { const box = document.querySelector('.tiles'); return box.getBoundingClientRect().right - box.lastElementChild.getBoundingClientRect().right < 3; }"));
    }

    [Theory]
    [InlineData(ColorScheme.Light, 1280)]
    [InlineData(ColorScheme.Dark, 1280)]
    [InlineData(ColorScheme.Light, 400)]
    public async Task Page_IsAccessible(ColorScheme scheme, int width)
    {
        await using OpenReport report = await browser.OpenAsync(Lines.Run(300));
        await report.Page.EmulateMediaAsync(new() { ColorScheme = scheme });
        await report.Page.SetViewportSizeAsync(width, 900);

        Assert.Equal(0, await report.Page.EvaluateAsync<int>("() => [...document.querySelectorAll('button, input, select')].filter(e => !(e.labels?.length || e.textContent.trim())).length"));
        Assert.True(await report.Page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= innerWidth"));
        Assert.Empty(await report.Page.EvaluateAsync<string[]>(Contrast));
        report.AssertNothingWentWrong();
    }

    // WCAG's ratio of the text's colour to the nearest background that is not transparent: 4.5 at least.
    private const string Contrast = """
        () => {
          const rgb = c => c.match(/[\d.]+/g).map(Number);
          const light = c => { const [r, g, b] = rgb(c).map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
          const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (rgb(c)[3] !== 0) return c; } return 'rgb(255, 255, 255)'; };
          const poor = new Set();
          for (const e of document.querySelectorAll('main *')) {
            if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest('title, option, noscript') || e.disabled) continue;
            const style = getComputedStyle(e);
            const [a, b] = [light(e.closest('svg') ? style.fill : style.color), light(behind(e))].sort((x, y) => y - x);
            if ((a + 0.05) / (b + 0.05) < 4.5) poor.add(`${e.tagName} ${e.className.baseVal ?? e.className}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
          }
          return [...poor];
        }
        """;
}
