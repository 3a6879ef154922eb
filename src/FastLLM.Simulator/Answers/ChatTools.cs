using System.Text;
using System.Text.Json;

namespace FastLLM.Simulator.Answers;

/// <summary>The tools that an answer calls.</summary>
/// <remarks><c>tool_choice: "required"</c> has every function of <c>tools</c> called (8 at most), a named function that one. Otherwise
/// those are called whose names the last message contains, if it is the user's; none with <c>"none"</c>.</remarks>
internal ref struct ChatTools(ReadOnlySpan<byte> body)
{
    private const int MaxCalls = 8;

    private readonly ReadOnlySpan<byte> _body = body;
    private ReadOnlySpan<byte> _tools; // as in the request
    private ReadOnlySpan<byte> _named; // escaped, without quotes
    private ReadOnlySpan<byte> _mentions; // the last message of the user
    private bool _required;
    private bool _forbidden;
    private bool _single; // parallel_tool_calls is false

    /// <summary>Computes how many tools are called.</summary>
    public readonly int CountCalls()
    {
        int count = 0;
        int most = _single ? 1 : MaxCalls;
        while (!_tools.IsEmpty && !_forbidden && _named.IsEmpty && count < most && !CalledName(count).IsEmpty)
        {
            count++;
        }

        return _named.IsEmpty ? count : 1;
    }

    /// <summary>The name of a called tool, escaped and without quotes.</summary>
    public readonly ReadOnlySpan<byte> CallName(int call) => _named.IsEmpty ? CalledName(call) : _named;

    /// <summary>Notes the last message, if it is the user's.</summary>
    public void Mention(ReadOnlySpan<byte> message) => _mentions = message;

    /// <summary>The schema of the arguments of a called tool; undefined if it has none.</summary>
    public readonly JsonElement CallParameters(int call)
    {
        if (!_tools.IsEmpty)
        {
            string name = Encoding.UTF8.GetString(JsonText.Decode(CallName(call)));
            using JsonDocument tools = JsonDocument.Parse(_tools.ToArray(), new JsonDocumentOptions { MaxDepth = 1000 });
            foreach (JsonElement tool in tools.RootElement.EnumerateArray())
            {
                if (tool.ValueKind == JsonValueKind.Object && tool.TryGetProperty("function", out JsonElement function)
                    && function.ValueKind == JsonValueKind.Object && function.TryGetProperty("name", out JsonElement named)
                    && named.ValueKind == JsonValueKind.String && named.ValueEquals(name)
                    && function.TryGetProperty("parameters", out JsonElement parameters))
                {
                    return parameters.Clone();
                }
            }
        }

        return default;
    }

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
            _forbidden = reader.TokenType == JsonTokenType.String && reader.ValueTextEquals("none"u8);
            _named = reader.TokenType == JsonTokenType.StartObject ? NameOf(ref reader) : default;
        }
        else if (reader.ValueTextEquals("parallel_tool_calls"u8))
        {
            reader.Read();
            _single = reader.TokenType == JsonTokenType.False;
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

    private readonly ReadOnlySpan<byte> CalledName(int call)
    {
        for (int index = 0; ; index++)
        {
            ReadOnlySpan<byte> name = ToolName(index);
            if (name.IsEmpty || ((_required || _mentions.IndexOf(name) >= 0) && call-- == 0))
            {
                return name;
            }
        }
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
