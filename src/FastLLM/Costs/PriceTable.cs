using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using FastLLM.Costs;

namespace FastLLM;

/// <summary>What models cost: a table in the community's usual form, the keys of LiteLLM's
/// <c>model_prices_and_context_window.json</c>.</summary>
/// <remarks>
/// <para>Immutable, safe to share between threads. Prices are exact decimals. A model that is not found has no price, which is never taken
/// for free.</para>
/// <para>A model is looked up by its exact name, then without a date at its end (<c>-2024-07-18</c>, <c>-20240718</c>), then without the
/// provider before its last slash (<c>openai/gpt-4o</c>), in both forms; at last among entries that have a provider before the same name,
/// if they all have the same price. See <c>docs/costs.md</c>.</para>
/// </remarks>
public sealed class PriceTable
{
    private const int MaxRemembered = 1_000;

    private static readonly Lazy<PriceTable> s_builtIn = new(static () =>
    {
        using Stream stream = typeof(PriceTable).Assembly.GetManifestResourceStream("FastLLM.prices.json")!;
        return Read(stream);
    });

    private readonly Dictionary<string, ModelPrice> _prices;
    private readonly Dictionary<string, ModelPrice?> _withoutProvider = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ModelPrice?> _foundHere = new(StringComparer.Ordinal);
    private readonly PriceTable? _next;

    private PriceTable(Dictionary<string, ModelPrice> prices, DateOnly? date, PriceTable? next)
    {
        _prices = prices;
        _next = next;
        Date = date;
        foreach ((string name, ModelPrice price) in prices)
        {
            if (ModelNames.WithoutProvider(name) is { } bare)
            {
                _withoutProvider[bare] = !_withoutProvider.TryGetValue(bare, out ModelPrice? other) || IsSame(price, other) ? price : null;
            }
        }
    }

    /// <summary>Gets the small table that comes with the library: some well-known models, as their prices were at <see cref="Date"/>.
    /// Prices change.</summary>
    public static PriceTable BuiltIn => s_builtIn.Value;

    /// <summary>Gets the day of the prices, where the table says it (a top-level <c>date</c>).</summary>
    public DateOnly? Date { get; }

    /// <summary>Gets how many models have a price.</summary>
    public int Count => _prices.Count + (_next?._prices.Keys.Count(name => !_prices.ContainsKey(name)) ?? 0);

    /// <summary>Gets the names of the models that have a price.</summary>
    internal IEnumerable<string> Names => _next is null ? _prices.Keys : _prices.Keys.Concat(_next.Names);

    /// <summary>Reads a table. Entries without a price for each token (of images, of seconds) are passed over.</summary>
    /// <param name="stream">UTF-8 JSON: an object from model names to prices.</param>
    /// <exception cref="FormatException">It is no such table; the message says where.</exception>
    public static PriceTable Read(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        (Dictionary<string, ModelPrice> prices, DateOnly? date) = PriceReader.Read(stream);
        return new PriceTable(prices, date, next: null);
    }

    /// <summary>A table of prices that you know.</summary>
    /// <param name="prices">Prices by the name of the model.</param>
    /// <exception cref="ArgumentOutOfRangeException">A price is negative or above 1,000 dollars a token.</exception>
    public static PriceTable Create(IReadOnlyDictionary<string, ModelPrice> prices)
    {
        ArgumentNullException.ThrowIfNull(prices);
        return new PriceTable(prices.ToDictionary(pair => pair.Key, pair => PriceReader.Complete(pair.Value), StringComparer.Ordinal),
            date: null, next: null);
    }

    /// <summary>This table, asked first, with another behind it.</summary>
    /// <param name="fallback">Says what is not found here.</param>
    public PriceTable Over(PriceTable fallback)
    {
        ArgumentNullException.ThrowIfNull(fallback);
        return new PriceTable(_prices, Date, _next is null ? fallback : _next.Over(fallback));
    }

    /// <summary>Looks a model up.</summary>
    /// <param name="model">Its name, as requests have it.</param>
    /// <param name="price">Its price.</param>
    /// <returns>Whether there is one.</returns>
    public bool TryGet(string? model, [NotNullWhen(true)] out ModelPrice? price)
    {
        price = null;
        if (string.IsNullOrEmpty(model))
        {
            return false;
        }

        price = FindHere(model);
        return price is not null || (_next is not null && _next.TryGet(model, out price));
    }

    /// <summary>Looks up another model than the requested one, in the table that has the requested one and those before it: what stands
    /// behind says nothing of what an own price is for.</summary>
    internal bool TryGetBeside(string requested, string other, [NotNullWhen(true)] out ModelPrice? price) =>
        FindHere(requested) is null && FindHere(other) is null && _next is not null
            ? _next.TryGetBeside(requested, other, out price)
            : (price = FindHere(other)) is not null;

    // Every request asks: names are taken apart once.
    private ModelPrice? FindHere(string model)
    {
        if (!_foundHere.TryGetValue(model, out ModelPrice? price))
        {
            string? bare = ModelNames.WithoutProvider(model);
            price = Named(_prices, model) ?? Named(_prices, bare) ?? Named(_withoutProvider!, model) ?? Named(_withoutProvider!, bare);
            if (_foundHere.Count < MaxRemembered)
            {
                _foundHere.TryAdd(model, price);
            }
        }

        return price;
    }

    private static ModelPrice? Named(Dictionary<string, ModelPrice> prices, string? name)
    {
        if (name is null)
        {
            return null;
        }

        return prices.TryGetValue(name, out ModelPrice? price) && price is not null ? price
            : ModelNames.WithoutDate(name) is { } undated ? prices.GetValueOrDefault(undated) : null;
    }

    private static bool IsSame(ModelPrice price, ModelPrice? other) =>
        other is not null && price with { MaxOutputTokens = null, Tiers = [] } == other with { MaxOutputTokens = null, Tiers = [] };
}
