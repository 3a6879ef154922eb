using System.Text;
using FastLLM.Jobs.Input;
using FastLLM.TestKit;
using Xunit;

namespace FastLLM.Tests.Jobs.Input;

/// <summary>The elements of an array are its bytes, however they are read.</summary>
public sealed class JsonArrayReaderTests
{
    private static CancellationToken Ended => TestContext.Current.CancellationToken;

    /// <summary>An array, and its elements: line and bytes.</summary>
    public static TheoryData<string, string[]> Arrays => new()
    {
        { "[]", [] },
        { " [ \n ] \n", [] },
        { "[{}]", ["1:{}"] },
        { "\uFEFF[\n  {\"a\": \"],}\\\"[\"},\r\n  [1,[2]],\n\n 3 ]\n", ["2:{\"a\": \"],}\\\"[\"}", "3:[1,[2]]", "5:3"] },
        { "[{\n\"a\":1\n},{\"b\":\"\\\\\"}]", ["1:{\n\"a\":1\n}", "3:{\"b\":\"\\\\\"}"] },
        { "[{\"a\":1},,{}]", ["1:{\"a\":1}", "1:", "1:{}"] },
        { "[é😀,\"\u2028\"]", ["1:é😀", "1:\"\u2028\""] },
    };

    [Theory]
    [MemberData(nameof(Arrays))]
    public async Task ReadAsync_AnyReadSizes_GiveTheSameElements(string array, string[] elements)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(array);
        for (int split = Math.Min(4, bytes.Length); split <= bytes.Length; split++)
        {
            var read = new List<string>();
            using var reader = new JsonArrayReader(new PiecesStream([bytes[..split], .. bytes[split..].Select(one => (byte[])[one])]), reusesRows: false);
            while (await reader.ReadAsync(Ended) is { } element)
            {
                read.Add($"{reader.Line}:{Encoding.UTF8.GetString(element.Span)}");
            }

            Assert.Equal(elements, read);
        }
    }

    [Theory]
    [InlineData("[{}", "ends inside element 1")]
    [InlineData("[{\"a\":\"", "ends inside element 1")]
    [InlineData("[1,\n", "ends inside element 2, which begins in line 2")]
    [InlineData("[1]\n{}", "Line 2: something follows")]
    public async Task ReadAsync_DamagedArray_Throws(string array, string says)
    {
        using var reader = new JsonArrayReader(new MemoryStream(Encoding.UTF8.GetBytes(array)), reusesRows: true);

        var fault = await Assert.ThrowsAsync<InvalidDataException>(async () =>
        {
            while (await reader.ReadAsync(Ended) is not null)
            {
            }
        });

        Assert.Contains(says, fault.Message, StringComparison.Ordinal);
    }
}
