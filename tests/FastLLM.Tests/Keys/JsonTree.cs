using System.Globalization;
using System.Numerics;
using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace FastLLM.Tests.Keys;

/// <summary>A JSON value that can be written in many ways, and changed in one place.</summary>
internal abstract record JsonTree
{
    // Names that sort differently by UTF-16, by escaped and by unescaped UTF-8; few enough to meet often.
    private static readonly string[] Names = ["a", "b", "ab", "A", "", "\"", "\\", "[", "\n", "\u0001", "a\tb", "é", "\uffff", "😀", "stream", "stream_options", "role", "content"];
    private static readonly string[] Texts = ["", " ", "a", "b", "1", "null", "\"", "\\", "\\u0061", "/", "\n\r\t\b\f", "\0\u001f\u007f", "é", "e\u0301", "\u2028", "\ud7ff\ue000", "😀", "Say \"hi\" in C:\\temp\n"];

    /// <summary>Bodies with up to some dozens of values.</summary>
    public static Gen<Object> Bodies { get; } = Gen.Sized(size => ObjectOf(Math.Min(size, 60), isBody: true));

    /// <summary>Writes the value in one of the many ways that mean the same.</summary>
    public abstract void Write(StringBuilder text, Random random);

    /// <summary>Gets every value that differs from this one in a single place.</summary>
    public abstract IEnumerable<JsonTree> Changed();

    public string Write(int seed)
    {
        var text = new StringBuilder();
        Write(text, new Random(seed));
        return text.ToString();
    }

    private static Gen<JsonTree> ValueOf(int size)
    {
        Gen<JsonTree> scalar = Gen.OneOf(
            Gen.Elements<JsonTree>(new Literal("true"), new Literal("false"), new Literal("null")),
            Gen.Elements(Texts).Select(JsonTree (text) => new Text(text)),
            from mantissa in Gen.OneOf(Gen.Choose(-20, 20).Select(n => (BigInteger)n), Gen.Choose(1, 120).Select(n => (BigInteger.Pow(7, n) * 10) + 3))
            from exponent in Gen.OneOf(Gen.Choose(-3, 3), Gen.Choose(-40, 40), Gen.Choose(-999_999_000, 999_999_000))
            select (JsonTree)new Number(mantissa, exponent));
        return size <= 1
            ? scalar
            : Gen.Frequency(
                (2, scalar),
                (1, from count in Gen.Choose(0, 4) from items in ValueOf(size / (count + 1)).ListOf(count) select (JsonTree)new Array([.. items])),
                (1, ObjectOf(size, isBody: false).Select(JsonTree (o) => o)));
    }

    private static Gen<Object> ObjectOf(int size, bool isBody) =>
        from names in Gen.SubListOf(Names)
        let count = Math.Min(names.Count, size)
        from values in ValueOf(size / (count + 1)).ListOf(count)
        select new Object([.. names.Take(count).Zip(values)], isBody);

    private static void Space(StringBuilder text, Random random)
    {
        for (int i = random.Next(3); i > 1; i--)
        {
            text.Append(" \t\r\n"[random.Next(4)]);
        }
    }

    private static void WriteText(StringBuilder text, string value, Random random)
    {
        text.Append('"');
        foreach (char c in value)
        {
            int shortForm = "\"\\/\b\f\n\r\t".IndexOf(c, StringComparison.Ordinal);
            if (random.Next(3) == 0)
            {
                string hex = ((int)c).ToString("x4", CultureInfo.InvariantCulture);
                text.Append("\\u").Append(random.Next(2) == 0 ? hex : hex.ToUpperInvariant());
            }
            else if (shortForm >= 0 && (c != '/' || random.Next(2) == 0))
            {
                text.Append('\\').Append("\"\\/bfnrt"[shortForm]);
            }
            else if (c < ' ' || char.IsSurrogate(c))
            {
                text.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture)); // raw where both halves are: below
            }
            else
            {
                text.Append(c);
            }
        }

        text.Append('"');
        if (random.Next(2) == 0)
        {
            text.Replace("\\ud83d\\ude00", "😀");
        }
    }

    internal sealed record Literal(string Value) : JsonTree
    {
        public override void Write(StringBuilder text, Random random) => text.Append(Value);

        public override IEnumerable<JsonTree> Changed() =>
            [new Literal(Value == "true" ? "false" : "true"), new Text(Value), new Text(""), new Number(0, 0), new Array([]), .. Value == "null" ? (JsonTree[])[] : [new Literal("null")]];
    }

    internal sealed record Text(string Value) : JsonTree
    {
        public override void Write(StringBuilder text, Random random) => WriteText(text, Value, random);

        public override IEnumerable<JsonTree> Changed() =>
            [new Text(Value + " "), new Text("x" + Value), new Literal("null"), new Array([this]), .. Value.Length == 0 ? (JsonTree[])[] : [new Text("")]];
    }

    /// <summary>A decimal: <paramref name="Mantissa"/> × 10^<paramref name="Exponent"/>.</summary>
    internal sealed record Number(BigInteger Mantissa, int Exponent) : JsonTree
    {
        public override void Write(StringBuilder text, Random random)
        {
            string digits = BigInteger.Abs(Mantissa).ToString(CultureInfo.InvariantCulture) + new string('0', random.Next(4));
            int exponent = Exponent - (digits.Length - BigInteger.Abs(Mantissa).ToString(CultureInfo.InvariantCulture).Length);
            bool negative = Mantissa.Sign < 0 || (Mantissa.IsZero && random.Next(2) == 0);

            // Sometimes without any exponent, else with the point anywhere and the exponent that makes up for it.
            if (exponent is > -60 and < 60 && random.Next(2) == 0)
            {
                digits = exponent > 0 && !Mantissa.IsZero ? digits + new string('0', exponent) : digits;
                Write(text, negative, digits, Math.Max(0, -exponent));
                return;
            }

            int fraction = random.Next(digits.Length + 3);
            Write(text, negative, digits, fraction);
            int written = exponent + fraction;
            text.Append("eE"[random.Next(2)]).Append(written < 0 ? "-" : random.Next(2) == 0 ? "+" : "");
            text.Append('0', random.Next(3)).Append(CultureInfo.InvariantCulture, $"{Math.Abs((long)written)}");
        }

        public override IEnumerable<JsonTree> Changed() =>
            [new Number(Mantissa + 1, Exponent), new Text(Write(0)), .. Mantissa.IsZero ? (JsonTree[])[] : [new Number(-Mantissa, Exponent), new Number(Mantissa, Exponent + 1), new Number((Mantissa * 1000) + 1, Exponent - 3)]];

        private static void Write(StringBuilder text, bool negative, string digits, int fraction)
        {
            digits = digits.PadLeft(fraction + 1, '0');
            string whole = digits[..^fraction].TrimStart('0');
            text.Append(negative ? "-" : "").Append(whole.Length == 0 ? "0" : whole);
            if (fraction > 0)
            {
                text.Append('.').Append(digits.AsSpan(digits.Length - fraction));
            }
        }
    }

    internal sealed record Array(JsonTree[] Items) : JsonTree
    {
        public override void Write(StringBuilder text, Random random)
        {
            text.Append('[');
            for (int i = 0; i < Items.Length; i++)
            {
                text.Append(i > 0 ? "," : "");
                Space(text, random);
                Items[i].Write(text, random);
                Space(text, random);
            }

            text.Append(']');
        }

        public override IEnumerable<JsonTree> Changed()
        {
            yield return new Array([.. Items, new Literal("null")]);
            yield return new Array([.. Items, new Text("")]);
            yield return new Array([this]);
            for (int i = 0; i < Items.Length; i++)
            {
                yield return new Array([.. Items[..i], .. Items[(i + 1)..]]);
                foreach (JsonTree changed in Items[i].Changed())
                {
                    yield return new Array([.. Items[..i], changed, .. Items[(i + 1)..]]);
                }
            }
        }
    }

    internal sealed record Object((string Name, JsonTree Value)[] Members, bool IsBody) : JsonTree
    {
        public override void Write(StringBuilder text, Random random)
        {
            List<(string Name, JsonTree Value)> members = [.. Members];
            if (IsBody)
            {
                // What a body may hold without meaning anything.
                members.RemoveAll(member => random.Next(2) == 0 && !Counts(member));
                if (random.Next(2) == 0)
                {
                    members.Add(("user", new Literal("null")));
                }
            }

            (string Name, JsonTree Value)[] shuffled = [.. members];
            random.Shuffle(shuffled);
            Space(text, random);
            text.Append('{');
            for (int i = 0; i < shuffled.Length; i++)
            {
                text.Append(i > 0 ? "," : "");
                Space(text, random);
                WriteText(text, shuffled[i].Name, random);
                Space(text, random);
                text.Append(':');
                Space(text, random);
                shuffled[i].Value.Write(text, random);
                Space(text, random);
            }

            text.Append('}');
            Space(text, random);
        }

        public override IEnumerable<JsonTree> Changed()
        {
            yield return this with { Members = [.. Members, ("new", new Text(""))] };
            if (!IsBody)
            {
                yield return this with { Members = [.. Members, ("new", new Literal("null"))] };
                yield return new Array([this]);
            }

            for (int i = 0; i < Members.Length; i++)
            {
                (string name, JsonTree value) = Members[i];
                if (!IsBody || Counts(Members[i]))
                {
                    yield return this with { Members = [.. Members[..i], .. Members[(i + 1)..]] };
                    yield return this with { Members = [.. Members[..i], (name + "x", value), .. Members[(i + 1)..]] };
                }

                if (!IsBody || name is not ("stream" or "stream_options"))
                {
                    foreach (JsonTree changed in value.Changed())
                    {
                        yield return this with { Members = [.. Members[..i], (name, changed), .. Members[(i + 1)..]] };
                    }
                }
            }
        }

        private static bool Counts((string Name, JsonTree Value) member) => member is { Name: not ("stream" or "stream_options"), Value: not Literal { Value: "null" } };
    }
}
