using Microsoft.Playwright;
using Xunit;

namespace FastLLM.BrowserTests;

/// <summary>A report in a browser, with all that the page should not do written down.</summary>
public sealed class OpenReport : IAsyncDisposable
{
    private readonly IBrowserContext _context;
    private readonly List<string> _wrongs = [];

    private OpenReport(IBrowserContext context, IPage page)
    {
        _context = context;
        Page = page;
    }

    public IPage Page { get; }

    /// <summary>How long it took from asking for the page until its script had drawn the table.</summary>
    public double LoadMilliseconds { get; private set; }

    public ILocator Rows => Page.Locator("#table tr.row");

    public static async Task<OpenReport> OpenAsync(IBrowser browser, Uri address)
    {
        IBrowserContext context = await browser.NewContextAsync(new() { ViewportSize = new() { Width = 1280, Height = 900 } });
        IPage page = await context.NewPageAsync();
        var report = new OpenReport(context, page);
        page.Console += (_, message) => report.Note($"console {message.Type}: {message.Text}");
        page.PageError += (_, error) => report.Note($"error: {error}");
        page.Dialog += (_, dialog) => report.Note($"dialog: {dialog.Message}");
        page.Popup += (_, popup) => report.Note($"window: {popup.Url}");
        context.Request += (_, request) =>
        {
            if (request.Url != address.AbsoluteUri)
            {
                report.Note($"request: {request.Url}");
            }
        };
        await page.GotoAsync(address.AbsoluteUri);
        report.LoadMilliseconds = await page.EvaluateAsync<double>("() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd");
        return report;
    }

    /// <summary>Types into the search, and waits until so many rows are shown.</summary>
    public async Task FindAsync(string text, int rows)
    {
        await Page.Locator("#text").FillAsync(text);
        await Assertions.Expect(Rows).ToHaveCountAsync(rows);
    }

    public void AssertNothingWentWrong()
    {
        lock (_wrongs)
        {
            Assert.Empty(_wrongs);
        }
    }

    public async ValueTask DisposeAsync() => await _context.CloseAsync();

    private void Note(string wrong)
    {
        lock (_wrongs)
        {
            _wrongs.Add(wrong);
        }
    }
}
