using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using FastLLM.Tests.Docs;
using Xunit;

namespace FastLLM.Tests;

/// <summary>Objects are composed, not cut: no type over several files, no file and no type that has outgrown one idea without saying why.</summary>
public sealed partial class HouseTests
{
    private const int MaxLines = 300;
    private const int MaxFields = 12;
    private const BindingFlags AnyMember =
        BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;

    private const string LongBecause = "// Long because";
    private const string ManyBecause = "// Many fields because";

    private static readonly string s_source = Path.Combine(Vocabulary.Root, "src");

    private static readonly IReadOnlyList<(string Path, string Text)> s_files =
    [
        .. Directory.EnumerateFiles(s_source, "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
            .Select(path => (Path.GetRelativePath(s_source, path).Replace('\\', '/'), File.ReadAllText(path)))
            .Where(file => !file.Item1.Contains("/obj/", StringComparison.Ordinal)),
    ];

    [Fact]
    public void Types_StandInOneFile()
    {
        var cut = from file in s_files
                  from Match match in PartialType().Matches(file.Text)
                  group file.Path by $"{Project(file.Path)}: {match.Groups["name"].Value}" into parts
                  where parts.Distinct().Count() > 1
                  select parts.Key;

        AssertNone(cut);
    }

    [Fact]
    public void Files_AreShort_OrSayWhyNot()
    {
        var wrong = from file in s_files
                    where IsLong(file.Text) != file.Text.Contains(LongBecause, StringComparison.Ordinal)
                    select file.Path;

        AssertNone(wrong);
    }

    [Fact]
    public void Types_HaveFewFields_OrSayWhyNot()
    {
        AssertNone(TypesWithManyFields().Except(s_files.Where(SaysWhyMany).SelectMany(TypesIn)));
    }

    [Fact]
    public void Excuses_ForManyFields_AreNeeded()
    {
        string[] tooMany = [.. TypesWithManyFields()];
        var needless = from file in s_files
                       where SaysWhyMany(file) && !TypesIn(file).Intersect(tooMany).Any()
                       select file.Path;

        AssertNone(needless);
    }

    /// <summary>Returns the folder of the engine in which a public type stands; <see langword="null"/> for the root.</summary>
    internal static string? FolderOf(Type type)
    {
        string name = type.Name.Split('`')[0];
        string file = s_files.First(file => file.Path.StartsWith("FastLLM/", StringComparison.Ordinal)
            && AnyType().Matches(file.Text).Any(match => match.Groups["name"].Value == name)).Path;
        return file.Split('/') is [_, var folder, _] ? folder : null;
    }

    private static bool IsLong(string text) => text.Count(c => c == '\n') > MaxLines;

    private static bool SaysWhyMany((string Path, string Text) file) => file.Text.Contains(ManyBecause, StringComparison.Ordinal);

    private static IEnumerable<string> TypesIn((string Path, string Text) file) =>
        AnyType().Matches(file.Text).Select(match => $"{Project(file.Path)}: {match.Groups["name"].Value}");

    private static IEnumerable<string> TypesWithManyFields() =>
        from assembly in ArchitectureTests.Assemblies
        from type in assembly.GetTypes()
        where !type.IsDefined(typeof(CompilerGeneratedAttribute)) && !type.Name.StartsWith('<')
            && !type.Name.EndsWith("Options", StringComparison.Ordinal) && Fields(type) > MaxFields
        select $"{assembly.GetName().Name}: {type.Name.Split('`')[0]}";

    // What a type holds: its fields, parameters of its primary constructor that it keeps, and properties that change; not the values of an
    // immutable one. Options are settings, each with a property.
    private static int Fields(Type type) => type.IsEnum ? 0 : type
        .GetFields(AnyMember)
        .Count(field => !field.Name.EndsWith("k__BackingField", StringComparison.Ordinal) || Changes(type, field));

    private static bool Changes(Type type, FieldInfo field) =>
        type.GetProperty(field.Name[1..field.Name.IndexOf('>', StringComparison.Ordinal)], AnyMember)?.SetMethod is { } setter
        && !setter.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit));

    private static void AssertNone(IEnumerable<string> wrong) => Assert.True(!wrong.Any(), string.Join(Environment.NewLine, wrong));

    private static string Project(string path) => path[..path.IndexOf('/', StringComparison.Ordinal)];

    [GeneratedRegex(@"^\s*(?:\w+ )*?partial (?:class|struct|interface|record(?: class| struct)?) (?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex PartialType();

    [GeneratedRegex(@"^\s*(?:\w+ )*?(?:class|struct|interface|enum|record(?: class| struct)?) (?<name>\w+)", RegexOptions.Multiline)]
    private static partial Regex AnyType();
}
