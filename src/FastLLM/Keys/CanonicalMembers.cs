using System.Text;
using System.Text.Json;
using FastLLM.Json;

namespace FastLLM.Keys;

/// <summary>Holds the members of the objects that are open while a body is written, and sorts an object's members when it closes.</summary>
internal sealed class CanonicalMembers : IComparer<CanonicalMembers.Member>
{
    private const int MaxKept = 16 * 1024;

    /// <summary>The largest count for which insertion beats the general sort, which also allocates.</summary>
    private const int FewMembers = 32;

    private readonly ByteBuffer _moved = new();
    private Member[] _members = new Member[64];
    private ByteBuffer _output = null!; // set by Begin

    /// <summary>Gets the number of members that all open objects have so far.</summary>
    public int Count { get; private set; }

    /// <summary>Begins a body that is written to <paramref name="output"/>.</summary>
    public void Begin(ByteBuffer output)
    {
        _output = output;
        Count = 0;
    }

    /// <summary>Drops the body, and unusually large arrays.</summary>
    public void Reset()
    {
        _moved.Reset();
        _output = null!;
        if (_members.Length > MaxKept)
        {
            _members = new Member[64];
        }
    }

    /// <summary>Adds a member to the innermost object. Its name has just been written.</summary>
    /// <param name="start">Where the member begins in the output, with its quotation mark.</param>
    /// <param name="nameLength">The length of its name as written, without quotation marks.</param>
    /// <param name="inputOffset">Where the name begins in the body.</param>
    /// <param name="escaped">Whether the written name may have escapes.</param>
    /// <param name="leftOut">Whether to leave the member out.</param>
    public void Add(int start, int nameLength, int inputOffset, bool escaped, bool leftOut)
    {
        if (Count == _members.Length)
        {
            Array.Resize(ref _members, Count + (Count / 2));
        }

        _members[Count++] = new Member
        {
            Start = start,
            NameLength = nameLength,
            InputOffset = inputOffset,
            Escaped = escaped,
            LeftOut = leftOut,
        };
    }

    /// <summary>Leaves out the newest member.</summary>
    public void LeaveOutLast() => _members[Count - 1].LeftOut = true;

    /// <summary>Marks the end of the newest member's value: the end of the output.</summary>
    public void EndLast() => _members[Count - 1].End = _output.Length;

    /// <summary>Closes the innermost object: sorts its members, refuses duplicates, and moves members that are out of place.</summary>
    /// <param name="first">The number of the object's first member; all later ones are the object's too.</param>
    /// <param name="start">Where in the output its members begin.</param>
    /// <exception cref="JsonException">Two members have the same name.</exception>
    public void Close(int first, int start)
    {
        Span<Member> members = _members.AsSpan(first, Count - first);
        bool inPlace = members.Length <= FewMembers ? SortFew(members) : SortMany(members);
        foreach (ref readonly Member member in members)
        {
            inPlace &= !member.LeftOut;
        }

        if (!inPlace)
        {
            Rearrange(members, start);
        }

        Count = first;
    }

    /// <summary>Compares two members by the UTF-8 bytes of their unescaped names.</summary>
    public int Compare(Member x, Member y) => CompareNames(in x, in y);

    private int CompareNames(ref readonly Member x, ref readonly Member y)
    {
        ReadOnlySpan<byte> left = NameOf(in x);
        ReadOnlySpan<byte> right = NameOf(in y);
        return x.Escaped || y.Escaped ? CompareUnescaped(left, right) : left.SequenceCompareTo(right);
    }

    private ReadOnlySpan<byte> NameOf(ref readonly Member member) => _output.Slice(member.Start + 1, member.NameLength);

    private static int CompareUnescaped(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        int i = 0;
        int j = 0;
        while (i < left.Length && j < right.Length)
        {
            int difference = NextByte(left, ref i) - NextByte(right, ref j);
            if (difference != 0)
            {
                return difference;
            }
        }

        return (left.Length - i) - (right.Length - j); // at least one of the two is 0
    }

    // The names have canonical escapes: two characters, or \u00xx.
    private static int NextByte(ReadOnlySpan<byte> name, ref int i)
    {
        if (name[i] != '\\')
        {
            return name[i++];
        }

        byte kind = name[i + 1];
        i += 2;
        switch (kind)
        {
            case (byte)'b':
                return '\b';
            case (byte)'f':
                return '\f';
            case (byte)'n':
                return '\n';
            case (byte)'r':
                return '\r';
            case (byte)'t':
                return '\t';
            case (byte)'u':
                i += 4;
                return ((name[i - 2] - '0') << 4) | (name[i - 1] <= '9' ? name[i - 1] - '0' : name[i - 1] - 'a' + 10);
            default:
                return kind;
        }
    }

    private bool SortFew(Span<Member> members)
    {
        bool inPlace = true;
        for (int i = 1; i < members.Length; i++)
        {
            int order = CompareNames(in members[i - 1], in members[i]);
            if (order < 0)
            {
                continue;
            }

            Member moving = members[i];
            int j = i;
            for (; order > 0; order = j > 0 ? CompareNames(in members[j - 1], in moving) : -1)
            {
                members[j] = members[j - 1];
                j--;
            }

            if (order == 0)
            {
                throw Duplicate(in moving);
            }

            members[j] = moving;
            inPlace = false;
        }

        return inPlace;
    }

    private bool SortMany(Span<Member> members)
    {
        bool inPlace = true;
        for (int i = 1; i < members.Length && inPlace; i++)
        {
            inPlace = CompareNames(in members[i - 1], in members[i]) < 0;
        }

        if (!inPlace)
        {
            members.Sort(this);
            for (int i = 1; i < members.Length; i++)
            {
                if (CompareNames(in members[i - 1], in members[i]) == 0)
                {
                    throw Duplicate(in members[i - 1].InputOffset > members[i].InputOffset ? ref members[i - 1] : ref members[i]);
                }
            }
        }

        return inPlace;
    }

    // All members but the largest go through a second buffer; the largest is moved within the output. A message of
    // 50 MB beside its role thus costs one move and no second 50 MB.
    private void Rearrange(ReadOnlySpan<Member> sorted, int start)
    {
        int largest = -1;
        foreach (ref readonly Member member in sorted)
        {
            largest = member.LeftOut ? largest : Math.Max(largest, member.Length);
        }

        if (largest < 0)
        {
            _output.Truncate(start);
            return;
        }

        int end = start;
        int stays = -1;
        int staysAt = 0;
        _moved.Truncate(0);
        for (int i = 0; i < sorted.Length; i++)
        {
            ref readonly Member member = ref sorted[i];
            if (member.LeftOut)
            {
                continue;
            }

            if (stays < 0 && member.Length == largest)
            {
                stays = i;
                staysAt = end;
            }
            else
            {
                _moved.Append(_output.Slice(member.Start, member.Length));
            }

            end += member.Length + 1; // and a comma, or the space of the last member's comma
        }

        Span<byte> output = _output.Written;
        output[sorted[stays].Start..sorted[stays].End].CopyTo(output[staysAt..]);

        ReadOnlySpan<byte> moved = _moved.Written;
        int at = start;
        for (int i = 0; i < sorted.Length; i++)
        {
            ref readonly Member member = ref sorted[i];
            if (member.LeftOut)
            {
                continue;
            }

            if (i != stays)
            {
                moved[..member.Length].CopyTo(output[at..]);
                moved = moved[member.Length..];
            }

            at += member.Length;
            if (at < end - 1)
            {
                output[at++] = (byte)',';
            }
        }

        _output.Truncate(at);
    }

    private JsonException Duplicate(ref readonly Member member)
    {
        const int Shown = 64;
        ReadOnlySpan<byte> name = NameOf(in member);
        string text = name.Length <= Shown
            ? Encoding.UTF8.GetString(name)
            : Encoding.UTF8.GetString(name[..Shown]).TrimEnd('\uFFFD') + "…";
        return new JsonException(
            $"The body has a second member \"{text}\" in one object, at byte {member.InputOffset}: "
            + $"readers disagree on which of the two counts. Remove one of them.");
    }

    /// <summary>Represents a member of an open object, as written in the output.</summary>
    internal struct Member
    {
        public int Start;
        public int NameLength;
        public int End;
        public int InputOffset;
        public bool Escaped;
        public bool LeftOut;

        public readonly int Length => End - Start;
    }
}
