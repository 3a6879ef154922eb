using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>The tools that an answer calls.</summary>
/// <remarks><c>tool_choice: "required"</c> has every function of <c>tools</c> called (8 at most), a named function that one.</remarks>
internal ref struct ChatTools(ReadOnlySpan<byte> body)
{
    private const int MaxCalls = 8;

    private readonly ReadOnlySpan<byte> _body = body;
    private ReadOnlySpan<byte> _tools; // as in the request
    private ReadOnlySpan<byte> _named; // escaped, without quotes
    private bool _required;

    /// <summary>Computes how many tools are called.</summary>
    public readonly int CountCalls()
    {
        int count = 0;
        while (_required && _named.IsEmpty && count < MaxCalls && !ToolName(count).IsEmpty)
        {
            count++;
        }

        return _named.IsEmpty ? count : 1;
    }

    /// <summary>The name of a called tool, escaped and without quotes.</summary>
    public readonly ReadOnlySpan<byte> CallName(int call) => _named.IsEmpty ? ToolName(call) : _named;

    /// <summary>Reads a member of the request, if it is about tools.</summary>
    public void TryRead(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("tools"u8))
        {
            reader.Read();
            int start = (int)reader.TokenStartIndex;
            bool areTools = reader.TokenType == JsonTokenType.StartArray;
            reader.Skip();
            _tools = areTools ? _body[start..(int)reader.BytesConsumed] : default;
        }
        else if (reader.ValueTextEquals("tool_choice"u8))
        {
            reader.Read();
            _required = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("required"u8);
            _named = reader.TokenType == JsonTokenType.StartObject ? NameOf(ref reader) : default;
        }
    }

    // {"type":"function","function":{"name":"…"}}, to its end.
    private static ReadOnlySpan<byte> NameOf(scoped ref Utf8JsonReader reader)
    {
        ReadOnlySpan<byte> name = default;
        int depth = reader.CurrentDepth;
        bool inFunction = false;
        while (reader.Read() && reader.CurrentDepth > depth)
        {
            if (reader.TokenType == JsonTokenType.PropertyName)
            {
                bool isFunction = reader.CurrentDepth == depth + 1 && reader.ValueTextEquals("function"u8);
                bool isName = inFunction && reader.CurrentDepth == depth + 2 && reader.ValueTextEquals("name"u8);
                inFunction = isFunction || (inFunction && reader.CurrentDepth > depth + 1);
                reader.Read();
                name = isName && reader.TokenType == JsonTokenType.String ? reader.ValueSpan : name;
                if (!isFunction)
                {
                    reader.Skip();
                }
            }
        }

        return name;
    }

    private readonly ReadOnlySpan<byte> ToolName(int index)
    {
        if (_tools.IsEmpty)
        {
            return default;
        }

        Utf8JsonReader reader = RequestJson.Reader(_tools);
        reader.Read();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }

            ReadOnlySpan<byte> name = NameOf(ref reader);
            if (!name.IsEmpty && index-- == 0)
            {
                return name;
            }
        }

        return default;
    }
}
