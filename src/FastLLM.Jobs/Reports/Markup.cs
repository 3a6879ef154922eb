using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace FastLLM.Jobs.Reports;

/// <summary>Builds HTML. Encodes every value of an interpolated text, except another <see cref="Markup"/>.</summary>
internal sealed class Markup
{
    private static readonly EncodingFormat s_format = new();

    private readonly StringBuilder _text = new();

    public Markup Add(FormattableString html)
    {
        _text.AppendFormat(s_format, html.Format, html.GetArguments());
        return this;
    }

    public override string ToString() => _text.ToString();

    private sealed class EncodingFormat : IFormatProvider, ICustomFormatter
    {
        // Keeps the letters of all scripts, but not control characters.
        private static readonly HtmlEncoder s_encoder = HtmlEncoder.Create(UnicodeRanges.All);

        public object? GetFormat(Type? formatType) => formatType == typeof(ICustomFormatter) ? this : null;

        public string Format(string? format, object? arg, IFormatProvider? formatProvider) => arg switch
        {
            null => "",
            Markup markup => markup.ToString(),
            IFormattable number => s_encoder.Encode(number.ToString(format, CultureInfo.InvariantCulture)),
            _ => s_encoder.Encode(arg.ToString()!),
        };
    }
}
