using System.Reflection;
using System.Reflection.Emit;
using FastLLM.Simulator;
using Xunit;

namespace FastLLM.Tests;

/// <summary>Dependencies point one way. Reads the compiled code, so that nothing a method does is overlooked.</summary>
/// <remarks>
/// In the engine: Json knows nobody, Keys only Json; a feature folder knows Json, Keys, Diagnostics and the public types of others; Pipeline knows all folders;
/// only the root knows the manager. Between projects: Cli knows Jobs, Cluster and Simulator; Cluster knows Jobs; Jobs and Extensions.AI know the engine;
/// nothing knows Cli.
/// </remarks>
public sealed class ArchitectureTests
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    /// <summary>The internals of the engine that jobs may use besides Json, Keys, Diagnostics and Requests: what a run, an estimate and a resume need.</summary>
    private static readonly string[] s_internalsForJobs =
    [
        "Caching.RefreshRule", "Checks.JsonAnswer", "Costs.CostMeter", "Costs.TokenUpperBound", "Pipeline.AnswerStore", "Pipeline.CachedAnswer",
        "Pipeline.IRecordedAnswers", "Pipeline.RunSettings", "Pipeline.StreamRun", "RateLimiting.RateLimiters", "RateLimiting.SentDay", "RateLimiting.SentMinute",
        "RateLimiting.TokenDemand", "Responses.Answer", "Responses.AnswerReader", "Retries.FailureAction", "Retries.FailureScope",
        "Retries.FailureTable",
    ];

    /// <summary>What does not fit yet. It must shrink to nothing; nothing may be added.</summary>
    private static readonly string[] s_allowed =
    [
    ];

    private static readonly Assembly s_engine = typeof(LlmRequest).Assembly;
    private static readonly Assembly s_jobs = typeof(Job).Assembly;

    private static readonly Dictionary<short, OpCode> s_opCodes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    /// <summary>Every assembly that is built from src.</summary>
    internal static IReadOnlyList<Assembly> Assemblies { get; } =
    [
        s_engine, s_jobs, typeof(FastLLMChatClient).Assembly, typeof(SimulatorServer).Assembly, typeof(ClusterStore).Assembly,
        typeof(global::FastLLM.Cli.App).Assembly,
    ];

    [Fact]
    public void Engine_FoldersKnowOnlyWhatTheyMay()
    {
        string[] wrong =
        [
            .. from type in s_engine.GetTypes()
               from reference in References(type).Select(Outermost).Distinct()
               where reference.Assembly == s_engine && !reference.Name.StartsWith('<') && reference != Outermost(type) && !MayKnow(Outermost(type), reference)
               select $"{Outermost(type).FullName} -> {reference.FullName}",
        ];

        AssertNone(wrong.Distinct().Except(s_allowed).Order());
        Assert.Empty(s_allowed.Except(wrong));
    }

    [Fact]
    public void Jobs_KnowFewInternalsOfTheEngine()
    {
        string[] wrong =
        [
            .. from type in s_jobs.GetTypes()
               from reference in References(type).Select(Outermost)
               where reference.Assembly == s_engine && !reference.IsVisible && FolderOf(reference) is { } folder
                   && folder is not ("Json" or "Keys" or "Diagnostics" or "Requests")
                   && !s_internalsForJobs.Contains($"{folder}.{reference.Name.Split('`')[0]}")
               select $"{type.FullName} -> {reference.FullName}",
        ];

        AssertNone(wrong.Distinct().Order());
    }

    [Fact]
    public void Projects_KnowOnlyThoseBelowThem()
    {
        var known = Assemblies.ToDictionary(
            assembly => assembly.GetName().Name!,
            assembly => assembly.GetReferencedAssemblies().Select(name => name.Name!).Where(name => name.StartsWith("FastLLM", StringComparison.OrdinalIgnoreCase)).Order().ToArray());

        Assert.Empty(known["FastLLM"]);
        Assert.Empty(known["FastLLM.Simulator"]);
        Assert.Equal(["FastLLM"], known["FastLLM.Jobs"]);
        Assert.Equal(["FastLLM"], known["FastLLM.Extensions.AI"]);
        Assert.Equal(["FastLLM", "FastLLM.Jobs"], known["FastLLM.Cluster"]);
        Assert.DoesNotContain(typeof(global::FastLLM.Cli.App).Assembly.GetName().Name!, known.Values.SelectMany(names => names));
    }

    [Fact]
    public void Scan_SeesWhatMethodsDo()
    {
        Type[] pipeline = [.. s_engine.GetTypes().Where(type => FolderOf(type) == "Pipeline").SelectMany(References)];

        Assert.All(
            (string[])["RateLimiting", "Providers", "Costs", "Retries", "Progress", "Diagnostics", "Caching"],
            folder => Assert.Contains(pipeline, type => FolderOf(type) == folder));
        Assert.Contains(References(typeof(LlmException)), type => FolderOf(type) == "Retries");
    }

    [Fact]
    public void PublicTypes_StandInTheRootNamespace()
    {
        Assert.All(s_engine.GetExportedTypes(), type => Assert.Equal("FastLLM", type.Namespace));
    }

    // A public type stands in the root namespace; its file tells its folder, whose internals it may use.
    private static bool MayKnow(Type type, Type reference)
    {
        string? own = FolderOf(type), other = FolderOf(reference);
        bool isManager = reference.Name.Split('`')[0] == "RequestManager";
        return own switch
        {
            "Json" => other == own,
            "Keys" => other is "Keys" or "Json",
            null when type.Name.StartsWith("RequestManager", StringComparison.Ordinal) => true,
            _ when isManager => false,
            "Pipeline" => true,
            _ => other == own || reference.IsVisible || other is "Json" or "Keys" or "Diagnostics",
        };
    }

    private static string? FolderOf(Type type)
    {
        type = Outermost(type);
        return type.Assembly != s_engine || type.Namespace is null || type.Name.StartsWith('<') ? null : type.Namespace is { } name && name.StartsWith("FastLLM.", StringComparison.Ordinal) ? name["FastLLM.".Length..]
            : HouseTests.FolderOf(type);
    }

    private static void AssertNone(IEnumerable<string> wrong) => Assert.True(!wrong.Any(), string.Join(Environment.NewLine, wrong));

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    private static IEnumerable<Type> References(Type type)
    {
        IEnumerable<Type?> declared =
        [
            type.BaseType,
            .. type.GetInterfaces(),
            .. type.GetFields(All).Select(field => field.FieldType),
            .. type.GetProperties(All).Select(property => property.PropertyType),
            .. type.GetMethods(All).SelectMany(InMethod),
            .. type.GetConstructors(All).SelectMany(InMethod),
        ];
        return declared.OfType<Type>().SelectMany(Parts);
    }

    private static IEnumerable<Type> InMethod(MethodBase method)
    {
        IEnumerable<Type> signature = method.GetParameters().Select(parameter => parameter.ParameterType);
        if (method is MethodInfo { ReturnType: var returned })
        {
            signature = signature.Append(returned);
        }

        return method.GetMethodBody() is { } body
            ? [.. signature, .. body.LocalVariables.Select(local => local.LocalType), .. InCode(method, body.GetILAsByteArray()!)]
            : signature;
    }

    private static IEnumerable<Type> InCode(MethodBase method, byte[] code)
    {
        Type[]? ofType = method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : null;
        Type[]? ofMethod = method.IsGenericMethod ? method.GetGenericArguments() : null;
        for (int at = 0; at < code.Length;)
        {
            OpCode operation = code[at] == 0xFE ? s_opCodes[unchecked((short)(0xFE00 | code[at + 1]))] : s_opCodes[code[at]];
            at += operation.Size;
            if (operation.OperandType is OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineType or OperandType.InlineTok)
            {
                foreach (Type type in Named(method.Module.ResolveMember(BitConverter.ToInt32(code, at), ofType, ofMethod)!))
                {
                    yield return type;
                }
            }

            at += operation.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + (4 * BitConverter.ToInt32(code, at)),
                _ => 4,
            };
        }
    }

    private static IEnumerable<Type> Named(MemberInfo member) => member switch
    {
        Type type => [type],
        FieldInfo field => [field.DeclaringType!, field.FieldType],
        MethodInfo method => [method.DeclaringType!, method.ReturnType, .. method.GetParameters().Select(p => p.ParameterType), .. method.GetGenericArguments()],
        _ => [member.DeclaringType!],
    };

    private static IEnumerable<Type> Parts(Type type)
    {
        if (type.HasElementType)
        {
            return Parts(type.GetElementType()!);
        }

        return type.IsGenericType && !type.IsGenericTypeDefinition
            ? [type.GetGenericTypeDefinition(), .. type.GetGenericArguments().SelectMany(Parts)]
            : type.IsGenericParameter ? [] : [type];
    }
}
