using FastLLM.TestKit;
using Microsoft.Playwright;
using Xunit;

namespace FastLLM.BrowserTests;

/// <summary>The system's Chromium, started once for all tests; without one, tests are skipped and say why.</summary>
public sealed class ReportBrowser : IAsyncLifetime
{
    private static readonly string[] s_places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome", "/snap/bin/chromium", "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", @"C:\Program Files\Google\Chrome\Application\chrome.exe"];

    private readonly TemporaryFolder _folder = new();
    private IPlaywright? _playwright;
    private IBrowser? _browser;

    private static string? Program => Environment.GetEnvironmentVariable("CHROMIUM") is { Length: > 0 } named ? named : s_places.FirstOrDefault(File.Exists);

    public async ValueTask InitializeAsync()
    {
        if (Program is { } program)
        {
            _playwright = await Playwright.CreateAsync();
            _browser = await _playwright.Chromium.LaunchAsync(new()
            {
                ExecutablePath = program,
                Headless = true,
                Args = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
            });
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.CloseAsync();
        }

        _playwright?.Dispose();
        _folder.Dispose();
    }

    /// <summary>Makes the report of these lines, and opens it.</summary>
    /// <param name="lines">The lines of OUTPUT.</param>
    /// <param name="tamper">Changes the page before it is opened.</param>
    public async Task<OpenReport> OpenAsync(IEnumerable<string> lines, Func<string, string>? tamper = null)
    {
        Assert.SkipWhen(_browser is null, "There is no Chromium on this system (sudo apt-get install chromium; or name its program in CHROMIUM).");

        string output = _folder.In("rows.jsonl");
        await File.WriteAllLinesAsync(output, lines);
        string html = _folder.In("rows.report.html");
        await OutputReport.WriteAsync(output, html);
        if (tamper is not null)
        {
            await File.WriteAllTextAsync(html, tamper(await File.ReadAllTextAsync(html)));
        }

        return await OpenReport.OpenAsync(_browser, new Uri(html));
    }
}
