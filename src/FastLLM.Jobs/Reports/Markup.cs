using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace FastLLM.Jobs.Reports;

/// <summary>HTML in the making. All that is put into a hole of an interpolated text is encoded, whoever wrote it; only <see cref="Markup"/> itself goes in as it is.</summary>
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
        // Letters of all scripts stay as they are; control characters do not.
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
