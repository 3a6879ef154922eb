using FastLLM.Cluster.Store;
using Npgsql;
using Xunit;

namespace FastLLM.ClusterTests.Store;

public sealed class StoreAddressTests
{
    [Theory]
    [InlineData("postgres://ann@db.example:6000/work?sslmode=require")]
    [InlineData("postgresql://ann@db.example:6000/work?sslmode=require")]
    [InlineData("host=db.example port=6000 user=ann dbname=work sslmode=require")]
    [InlineData("Host=db.example;Port=6000;Username=ann;Database=work;SSL Mode=Require")]
    public void ToConnectionString_AnyForm_HasHostUserDatabaseAndTimeouts(string address)
    {
        var builder = new NpgsqlConnectionStringBuilder(StoreAddress.ToConnectionString(address));

        Assert.Equal(("db.example", 6000, "ann", "work"), (builder.Host, builder.Port, builder.Username, builder.Database));
        Assert.Equal((SslMode.Require, 30, 10), (builder.SslMode, builder.CommandTimeout, builder.Timeout));
    }

    [Theory]
    [InlineData("postgres://ann:secret@db/work", true)]
    [InlineData("postgres://ann@db/work?password=secret", true)]
    [InlineData("Host=db;Password=secret", true)]
    [InlineData("host=db pwd=secret", true)]
    [InlineData("postgres://ann@db/work", false)]
    [InlineData("Host=db;Username=ann", false)]
    public void HasPassword_AnyForm_IsFound(string address, bool expected) => Assert.Equal(expected, StoreAddress.HasPassword(address));

    [Theory]
    [InlineData("postgres://ann:secret@db:port/work")]
    [InlineData("secret")]
    [InlineData("host=db colour=secret")]
    public void ToConnectionString_NoAddress_DoesNotRepeatIt(string address)
    {
        ArgumentException e = Assert.Throws<ArgumentException>(() => StoreAddress.ToConnectionString(address));
        Assert.DoesNotContain("secret", e.Message, StringComparison.Ordinal);
    }
}
