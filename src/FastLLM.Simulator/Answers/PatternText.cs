using System.Text;

namespace FastLLM.Simulator.Answers;

/// <summary>Makes a text for a regular expression of literals, classes, groups, alternatives and counts. The caller checks it.</summary>
internal sealed class PatternText
{
    private const int MaxLength = 10_000;

    private readonly string _pattern;
    private readonly ulong _drawn;
    private int _at;

    private PatternText(string pattern, ulong drawn)
    {
        _pattern = pattern;
        _drawn = drawn;
    }

    private char Now => _at < _pattern.Length ? _pattern[_at] : '\0';

    /// <returns>The text; <see langword="null"/> for an expression with other elements.</returns>
    public static string? TryMake(string pattern, ulong drawn)
    {
        var reader = new PatternText(pattern, drawn);
        string? text = reader.Alternatives(0);
        return reader._at == pattern.Length ? text : null;
    }

    // The first alternative counts; the others are only read.
    private string? Alternatives(int depth)
    {
        string? first = depth > 50 ? null : Sequence(depth);
        while (first is not null && Now == '|')
        {
            _at++;
            if (Sequence(depth) is null)
            {
                return null;
            }
        }

        return first;
    }

    private string? Sequence(int depth)
    {
        var text = new StringBuilder();
        while (_at < _pattern.Length && Now is not ('|' or ')'))
        {
            if (Atom(depth) is not { } atom || Count() is not { } count || (long)atom.Length * count > MaxLength)
            {
                return null;
            }

            text.Insert(text.Length, atom, count);
        }

        return text.Length > MaxLength ? null : text.ToString();
    }

    private string? Atom(int depth)
    {
        char atom = _pattern[_at++];
        switch (atom)
        {
            case '^' or '$':
                return "";
            case '.':
                return "x";
            case '\\':
                return Escaped() is { } set ? Pick(set) : null;
            case '[':
                return Class();
            case '(':
                if (Now == '?' && !Skip("?:"))
                {
                    return null;
                }

                string? inner = Alternatives(depth + 1);
                return inner is not null && Skip(")") ? inner : null;
            case '*' or '+' or '?' or '{':
                return null;
            default:
                return atom.ToString();
        }
    }

    private string? Escaped()
    {
        char escaped = Now;
        _at++;
        return escaped switch
        {
            'd' => "0123456789",
            'w' => "abcdefghijklmnopqrstuvwxyz",
            's' => " ",
            'D' or 'S' => "x",
            'W' => "-",
            'n' => "\n",
            't' => "\t",
            '\0' => null,
            _ when char.IsLetterOrDigit(escaped) => null,
            _ => escaped.ToString(),
        };
    }

    private string? Class()
    {
        if (Now == '^')
        {
            return null;
        }

        var set = new StringBuilder();
        while (Now is not (']' or '\0'))
        {
            char first = _pattern[_at++];
            if (first == '\\')
            {
                if (Escaped() is not { } more)
                {
                    return null;
                }

                set.Append(more);
            }
            else if (Now == '-' && _at + 1 < _pattern.Length && _pattern[_at + 1] is not (']' or '\\'))
            {
                char last = _pattern[_at + 1];
                _at += 2;
                for (int c = first; c <= Math.Min(last, first + 100); c++)
                {
                    set.Append((char)c);
                }
            }
            else
            {
                set.Append(first);
            }
        }

        return Skip("]") && set.Length > 0 ? Pick(set.ToString()) : null;
    }

    // The fewest, but one where none or more are allowed.
    private int? Count()
    {
        int count = 1;
        switch (Now)
        {
            case '*' or '+' or '?':
                _at++;
                break;
            case '{':
                int end = _pattern.IndexOf('}', _at);
                if (end < 0 || !int.TryParse(_pattern[(_at + 1)..end].Split(',')[0], out count))
                {
                    return null;
                }

                _at = end + 1;
                break;
            default:
                return 1;
        }

        _ = Skip("?"); // as few as possible: the same
        return count;
    }

    private bool Skip(string text)
    {
        bool isNext = string.CompareOrdinal(_pattern, _at, text, 0, text.Length) == 0;
        _at += isNext ? text.Length : 0;
        return isNext;
    }

    private string Pick(string set) => set[(int)(BodyHash.Mix(_drawn + (ulong)_at) % (ulong)set.Length)].ToString();
}
