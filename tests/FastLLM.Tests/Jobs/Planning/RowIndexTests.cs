using System.Globalization;
using FastLLM.Jobs.Planning;
using Xunit;

namespace FastLLM.Tests.Jobs.Planning;

public sealed class RowIndexTests
{
    [Fact]
    public void Add_ManyRows_AreFound()
    {
        const int Rows = 200_000;
        var table = new RowIndex();
        for (int row = 0; row < Rows; row++)
        {
            Assert.Equal(row, table.Add(Id(row), (ulong)row * 3));
        }

        for (int row = 0; row < Rows; row += 2)
        {
            table.SetRecord(row, row * 1_000_000L);
        }

        Assert.Equal(Rows, table.Count);
        for (int row = 0; row < Rows; row++)
        {
            Assert.Equal(row, table.Find(Id(row)));
            Assert.Equal((ulong)row * 3, table.KeyOf(row));
            Assert.Equal(row % 2 == 0 ? row * 1_000_000L : RowIndex.NoRecord, table.RecordOf(row));
        }

        Assert.Equal(-1, table.Find(Id(Rows)));
    }

    [Fact]
    public void Add_KnownId_ReturnsTheEarlierRow()
    {
        var table = new RowIndex();
        for (int row = 0; row < 5_000; row++)
        {
            table.Add(Id(row), 1);
        }

        for (int row = 0; row < 5_000; row++)
        {
            Assert.Equal(~row, table.Add(Id(row), 2));
        }

        Assert.Equal(5_000, table.Count);
        Assert.Equal(1UL, table.KeyOf(4_999));
        Assert.Equal(5_000, table.Add(Id(5_000), 2));
    }

    [Fact]
    public void Add_IdZero_IsFound()
    {
        var table = new RowIndex();

        Assert.Equal(-1, table.Find(0));
        Assert.Equal(0, table.Add(0, 0));
        Assert.Equal(0, table.Find(0));
        Assert.Equal(~0, table.Add(0, 0));
    }

    [Fact]
    public void Fingerprint_DifferentIds_Differ()
    {
        string megabyte = new('x', 1 << 20);

        Assert.Equal(RowIndex.Fingerprint(megabyte), RowIndex.Fingerprint(new string('x', 1 << 20)));
        Assert.NotEqual(RowIndex.Fingerprint(megabyte), RowIndex.Fingerprint(megabyte + "x"));
        Assert.NotEqual(RowIndex.Fingerprint("a"), RowIndex.Fingerprint("A"));
        Assert.NotEqual(RowIndex.Fingerprint(""), RowIndex.Fingerprint(" "));
        RequestKey key = RequestKey.Compute("/v1/embeddings", "{}"u8);
        Assert.NotEqual(RowIndex.Fingerprint(key), RowIndex.Fingerprint(RequestKey.Compute("/v1/embeddings", "{}"u8, 1)));
        Assert.Equal(0UL, RowIndex.Fingerprint(default(RequestKey)));
    }

    private static ulong Id(int row) => RowIndex.Fingerprint(row.ToString(CultureInfo.InvariantCulture));
}
