using Spectre.Console;
using Spectre.Console.Rendering;

namespace FastLLM.Cli;

/// <summary>Draws a few lines at the bottom of a terminal again and again, in one write each time.</summary>
/// <remarks>Spectre's own live display pads its lines to the widest one so far, which breaks once the terminal gets narrower. The cursor
/// stays visible, so that nothing has to be restored when the process is killed.</remarks>
internal sealed class LiveScreen(IAnsiConsole console)
{
    // A terminal may be narrower than it has said, for some 200 ms in tmux. Lines are then cut instead of wrapped, so that each takes
    // one row, and the next display begins where this one does.
    private const string NoWrap = "\e[?7l";
    private const string Wrap = "\e[?7h";

    private IReadOnlyList<IReadOnlyList<Segment>> _drawn = [];
    private int _width;

    /// <summary>Gets the number of columns of the terminal.</summary>
    public int Width => console.Profile.Width;

    /// <summary>Gets a value indicating whether the terminal shows more than ASCII.</summary>
    public bool Unicode => console.Profile.Capabilities.Unicode;

    /// <summary>Replaces the lines of the display.</summary>
    /// <param name="lines">The lines, none of which is wider than the terminal.</param>
    public void Show(IReadOnlyList<IReadOnlyList<Segment>> lines)
    {
        string erase = Width == _width ? "" : "\e[J"; // rows that a resize has joined or split
        _width = Width;
        List<Segment> all = [Segment.Control(ToTop() + erase + NoWrap)];
        for (var i = 0; i < lines.Count; i++)
        {
            all.AddRange(lines[i]);
            all.Add(Segment.Control("\e[K")); // erases what a longer line has left
            if (i < lines.Count - 1)
            {
                all.Add(Segment.LineBreak);
            }
        }

        all.Add(Segment.Control("\e[J" + Wrap));
        _drawn = lines;
        console.Write(new Segments(all));
    }

    /// <summary>Writes a line above the display.</summary>
    public void WriteLine(string text)
    {
        IReadOnlyList<IReadOnlyList<Segment>> lines = _drawn;
        Clear();
        console.WriteLine(text);
        Show(lines);
    }

    /// <summary>Removes the display.</summary>
    public void Clear()
    {
        console.Write(new Segments([Segment.Control(ToTop() + "\e[J")]));
        _drawn = [];
    }

    // A terminal that has become narrower wraps the lines that it shows.
    private string ToTop()
    {
        int width = Math.Max(1, Width);
        int up = _drawn.Sum(line => Math.Max(1, (Segment.CellCount(line) + width - 1) / width)) - 1;
        return up > 0 ? $"\r\e[{up}A" : "\r";
    }

    private sealed class Segments(IReadOnlyList<Segment> segments) : IRenderable
    {
        public Measurement Measure(RenderOptions options, int maxWidth) => new(maxWidth, maxWidth);

        public IEnumerable<Segment> Render(RenderOptions options, int maxWidth) => segments;
    }
}
