using System.Text;
using Xunit;

namespace FastLLM.Tests.Costs;

/// <summary>Prices are what the table says, to the last digit, and a model that is not in it has none.</summary>
public sealed class PriceTableTests
{
    private static readonly Usage s_usage = new() { PromptTokens = 1_000, CompletionTokens = 100, TotalTokens = 1_100 };

    [Theory]
    [InlineData("1.5e-07", "0.00000015")]
    [InlineData("0.00000015", "0.00000015")]
    [InlineData("1E-6", "0.000001")]
    [InlineData("0", "0")]
    [InlineData("0.0000001234567890123", "0.0000001234567890123")]
    public void Read_KeepsPricesExactly(string written, string price)
    {
        PriceTable table = Table("{\"m\":{\"input_cost_per_token\":" + written + ",\"output_cost_per_token\":0.5}}");

        Assert.True(table.TryGet("m", out ModelPrice? found));
        Assert.Equal(decimal.Parse(price, System.Globalization.CultureInfo.InvariantCulture), found.Input);
        Assert.Equal(0.5m, found.Output);
    }

    [Theory]
    [InlineData("gpt-x", "1")]
    [InlineData("gpt-x-2024-07-18", "1")]
    [InlineData("gpt-x-20240718", "1")]
    [InlineData("openai/gpt-x", "1")]
    [InlineData("openrouter/openai/gpt-x-2024-07-18", "1")]
    [InlineData("gpt-x-2025-01-01", "9")]
    [InlineData("mistral-y", "2")]
    [InlineData("mistral/mistral-y", "2")]
    [InlineData("twice", null)]
    [InlineData("a/twice", "3")]
    [InlineData("same", "5")]
    [InlineData("gpt-x-mini", null)]
    [InlineData("gpt-x-2024", null)]
    [InlineData("gpt", null)]
    [InlineData("GPT-X", null)]
    [InlineData("a picture", null)]
    [InlineData("no output price", null)]
    [InlineData("embeds", "7")]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void TryGet_FindsAModelByItsName_WithoutDateAndProvider_AndNeverGuesses(string? model, string? price)
    {
        PriceTable table = Table("""
            {"sample_spec":{"input_cost_per_token":"the price"},"date":"2026-01-31",
             "gpt-x":{"input_cost_per_token":1,"output_cost_per_token":1,"litellm_provider":"openai"},
             "gpt-x-2025-01-01":{"input_cost_per_token":9,"output_cost_per_token":9},
             "mistral/mistral-y":{"input_cost_per_token":2,"output_cost_per_token":2},
             "a/twice":{"input_cost_per_token":3,"output_cost_per_token":3},
             "b/twice":{"input_cost_per_token":4,"output_cost_per_token":4},
             "a/same":{"input_cost_per_token":5,"output_cost_per_token":5,"max_output_tokens":10},
             "b/same":{"input_cost_per_token":5,"output_cost_per_token":5},
             "a picture":{"input_cost_per_image":1},
             "no output price":{"input_cost_per_token":6,"mode":"chat"},
             "embeds":{"input_cost_per_token":7,"mode":"embedding"}}
            """);

        Assert.Equal(price is not null, table.TryGet(model, out ModelPrice? found));
        Assert.Equal(price, found?.Input.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(new DateOnly(2026, 1, 31), table.Date);
    }

    [Theory]
    [InlineData("""{"input_tokens":10,"cache_creation_input_tokens":300,"cache_read_input_tokens":100,"output_tokens":5}""", 10 + (300 * 5) + (100 * 0.1) + (5 * 10))]
    [InlineData("""{"prompt_tokens":310,"cache_creation_input_tokens":300,"completion_tokens":5}""", 10 + (300 * 5) + (5 * 10))]
    [InlineData("""{"prompt_tokens":310,"prompt_tokens_details":{"cached_tokens":0,"cache_creation_tokens":300},"completion_tokens":5}""", 10 + (300 * 5) + (5 * 10))]
    [InlineData("""{"prompt_tokens":310,"prompt_tokens_details":{"cache_write_tokens":300},"completion_tokens":5}""", 10 + (300 * 5) + (5 * 10))]
    [InlineData("""{"prompt_tokens":10,"cache_creation_input_tokens":300,"completion_tokens":5}""", 10 + (300 * 5) + (5 * 10))]
    [InlineData("""{"input_tokens":10,"cache_creation_input_tokens":300,"cache_creation":{"ephemeral_5m_input_tokens":200,"ephemeral_1h_input_tokens":100},"output_tokens":5}""", 10 + (200 * 5) + (100 * 8) + (5 * 10))]
    public void Cost_TokensWrittenToTheProvidersCache_HaveTheirPrice(string usage, double millionths)
    {
        ModelPrice price = Price("""{"input_cost_per_token":1e-06,"cache_read_input_token_cost":1e-07,"cache_creation_input_token_cost":5e-06,"cache_creation_input_token_cost_above_1hr":8e-06,"output_cost_per_token":1e-05}""");
        LlmResponse response = LlmResponse.FromBody(System.Text.Encoding.UTF8.GetBytes($$"""{"choices":[{"message":{"content":"a"},"finish_reason":"stop"}],"usage":{{usage}}}"""));

        Assert.Equal((decimal)millionths / 1_000_000, price.Cost(response.Usage!));
    }

    [Fact]
    public void Over_AsksTheFirstTableUnderEveryNameBeforeTheSecond()
    {
        PriceTable both = Table("""{"openai/gpt-x":{"input_cost_per_token":1,"output_cost_per_token":1}}""")
            .Over(Table("""{"gpt-x":{"input_cost_per_token":2,"output_cost_per_token":2},"other":{"input_cost_per_token":3,"output_cost_per_token":3}}"""));

        Assert.True(both.TryGet("gpt-x", out ModelPrice? first));
        Assert.True(both.TryGet("other", out ModelPrice? second));
        Assert.Equal((1m, 3m), (first.Input, second.Input));
    }

    [Fact]
    public void Cost_CountsCachedAndReasoningTokensAtTheirOwnPrice_AsPartsOfPromptAndAnswer()
    {
        ModelPrice price = Price("""{"input_cost_per_token":2e-06,"cache_read_input_token_cost":5e-07,"output_cost_per_token":8e-06,"output_cost_per_reasoning_token":1e-05}""");
        var usage = new Usage { PromptTokens = 1_000, CachedTokens = 400, CompletionTokens = 100, ReasoningTokens = 30, TotalTokens = 1_100 };

        Assert.Equal((600 * 0.000002m) + (400 * 0.0000005m) + (70 * 0.000008m) + (30 * 0.00001m), price.Cost(usage));
        Assert.Equal((1_000 * 0.000002m) + (100 * 0.000008m), price.Cost(s_usage));
    }

    [Fact]
    public void Cost_OfPartsLargerThanTheWhole_CountsThemBesideIt()
    {
        ModelPrice price = Price("""{"input_cost_per_token":1,"cache_read_input_token_cost":0,"output_cost_per_token":1,"output_cost_per_reasoning_token":0}""");

        Assert.Equal(20, price.Cost(new Usage { PromptTokens = 10, CachedTokens = 50, CompletionTokens = 10, ReasoningTokens = 70 }));
        Assert.Equal(20, price.Cost(new Usage { PromptTokens = 10, CachedTokens = -5, CompletionTokens = 10, ReasoningTokens = -7 }));
    }

    [Fact]
    public void Cost_OfALongPrompt_IsThatOfItsTier_AndTheWorstCaseThatOfTheDearest()
    {
        ModelPrice price = Price("""
            {"input_cost_per_token":3e-06,"output_cost_per_token":1.5e-05,"input_cost_per_token_above_200k_tokens":6e-06,"output_cost_per_token_above_200k_tokens":2.25e-05,
             "cache_creation_input_token_cost":7e-06,"input_cost_per_token_batches":99,"input_cost_per_token_priority":99,"output_cost_per_token_above_200k_tokens_priority":99}
            """);

        Assert.Equal(200_000 * 0.000003m, price.Cost(new Usage { PromptTokens = 200_000 }));
        Assert.Equal((200_001 * 0.000006m) + 0.0000225m, price.Cost(new Usage { PromptTokens = 200_001, CompletionTokens = 1 }));
        Assert.Equal((10 * 0.000007m) + (5 * 0.0000225m), price.MaxCost(10, 5));
    }

    [Fact]
    public void Cost_PerRequest_IsAddedToChargeAndWorstCase()
    {
        ModelPrice price = Price("""{"input_cost_per_token":1,"output_cost_per_token":2,"input_cost_per_request":0.005,"output_cost_per_request":0.01}""");

        Assert.Equal((1_200.015m, 5.015m, null), (price.Cost(s_usage), price.MaxCost(1, 2), price.OtherPrice));
    }

    [Theory]
    [InlineData("m", "\"input_cost_per_query\":0.002", "input_cost_per_query")]
    [InlineData("m", "\"citation_cost_per_token\":2e-06", "citation_cost_per_token")]
    [InlineData("m", "\"tiered_pricing\":[{\"input_cost_per_token\":9,\"range\":[0,1000]}]", "tiered_pricing")]
    [InlineData("m", "\"input_cost_per_character\":1e-07", "input_cost_per_character")]
    [InlineData("m", "\"output_cost_per_second\":0.1", "output_cost_per_second")]
    [InlineData("m", "\"output_cost_per_image\":0.04", "output_cost_per_image")]
    [InlineData("m", "\"some_new_cost\":1", "some_new_cost")]
    [InlineData("perplexity/sonar-pro", "\"search_context_cost_per_query\":{\"search_context_size_low\":0.006}", "search_context_cost_per_query")]
    [InlineData("gpt-4o-search-preview", "\"search_context_cost_per_query\":{\"search_context_size_low\":0.03}", "search_context_cost_per_query")]
    [InlineData("m", "\"search_context_cost_per_query\":{\"search_context_size_low\":0.03}", null)]
    [InlineData("m", "\"input_cost_per_query\":0,\"tiered_pricing\":[],\"citation_cost_per_token\":0.0", null)]
    [InlineData("m", "\"input_cost_per_audio_token\":1,\"output_cost_per_audio_token\":1,\"input_cost_per_audio_per_second\":1,\"input_cost_per_video_per_second\":1", null)]
    [InlineData("m", "\"file_search_cost_per_1k_calls\":1,\"code_interpreter_cost_per_session\":1,\"input_dbu_cost_per_token\":1,\"output_db_cost_per_token\":1", null)]
    [InlineData("m", "\"input_cost_per_token_priority\":1,\"input_cost_per_token_batches\":1,\"cache_creation_input_token_cost_above_1hr\":1", null)]
    [InlineData("m", "\"input_cost_per_image\":0.001", null)]
    public void Read_PriceThatIsNotOfTokens_IsNamed(string model, string member, string? key)
    {
        PriceTable table = Table("{\"" + model + "\":{\"input_cost_per_token\":1,\"output_cost_per_token\":2," + member + "}}");

        Assert.True(table.TryGet(model, out ModelPrice? price));
        Assert.Equal(key, price.OtherPrice);
    }

    [Theory]
    [InlineData("\"input_cost_per_image\":0.001", "input_cost_per_image")]
    [InlineData("\"input_cost_per_image_token\":2", "input_cost_per_image_token")]
    [InlineData("\"input_cost_per_image_token\":1", null)]
    public void Read_PriceOfPictures_IsNamed(string member, string? key) =>
        Assert.Equal(key, Price("{\"input_cost_per_token\":1,\"output_cost_per_token\":2," + member + "}").PicturePrice);

    [Fact]
    public void BuiltIn_HasNoOtherPrices() => Assert.All(PriceTable.BuiltIn.Names, static name =>
        Assert.True(PriceTable.BuiltIn.TryGet(name, out ModelPrice? price) && (price.OtherPrice, price.PicturePrice, price.PerRequest) == (null, null, 0)));

    [Theory]
    [InlineData("""{"m":{"input_cost_per_token":-1,"output_cost_per_token":1}}""", "m")]
    [InlineData("""{"m":{"input_cost_per_token":1e30,"output_cost_per_token":1}}""", "1e30")]
    [InlineData("""{"m":{"input_cost_per_token":1,"output_cost_per_token":2000}}""", "2000")]
    [InlineData("""[1]""", "object")]
    [InlineData("""{"m":""", "JSON")]
    public void Read_OfNonsense_NamesIt(string json, string named)
    {
        Assert.Contains(named, Assert.Throws<FormatException>(() => Table(json)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void BuiltIn_IsDatedAndKnowsWellKnownModels_AndNotTheSimulators()
    {
        Assert.NotNull(PriceTable.BuiltIn.Date);
        Assert.InRange(PriceTable.BuiltIn.Count, 15, 60);
        Assert.True(PriceTable.BuiltIn.TryGet("openai/gpt-4o-mini-2024-07-18", out ModelPrice? price));
        Assert.Equal((0.00000015m, 0.0000006m, 0.000000075m, 16_384L), (price.Input, price.Output, price.CachedInput, price.MaxOutputTokens));
        Assert.True(PriceTable.BuiltIn.TryGet("text-embedding-3-small", out ModelPrice? embedding));
        Assert.Equal((0m, 0L), (embedding.Output, embedding.MaxOutputTokens));
        Assert.False(PriceTable.BuiltIn.TryGet("m", out _));
    }

    private static PriceTable Table(string json) => PriceTable.Read(new MemoryStream(Encoding.UTF8.GetBytes(json)));

    private static ModelPrice Price(string entry) => Table("{\"m\":" + entry + "}").TryGet("m", out ModelPrice? price) ? price : throw new InvalidOperationException("No price.");
}
