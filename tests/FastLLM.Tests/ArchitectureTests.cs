using System.Reflection;
using System.Reflection.Emit;
using Xunit;

namespace FastLLM.Tests;

/// <summary>Dependencies point one way: the manager knows every stage, a stage knows root types, Keys and Diagnostics, never a sibling or the manager.</summary>
public sealed class ArchitectureTests
{
    private const BindingFlags All = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Assembly s_engine = typeof(LlmRequest).Assembly;

    private static readonly Dictionary<short, OpCode> s_opCodes = typeof(OpCodes).GetFields(BindingFlags.Public | BindingFlags.Static)
        .Select(field => (OpCode)field.GetValue(null)!).ToDictionary(code => code.Value);

    [Fact]
    public void AStage_KnowsRootTypesKeysAndDiagnostics_NeverASiblingOrTheManager()
    {
        string[] wrong =
        [
            .. from type in s_engine.GetTypes()
               where StageOf(type) is not null
               from reference in References(type).Distinct()
               where !IsAllowed(StageOf(type)!, reference)
               orderby type.FullName, reference.FullName
               select $"{type.FullName} -> {reference.FullName}",
        ];

        Assert.Empty(wrong);
    }

    [Fact]
    public void TheScan_SeesWhatMethodsDo()
    {
        Type[] manager = [.. s_engine.GetTypes().Where(t => t.FullName!.StartsWith("FastLLM.RequestManager`1", StringComparison.Ordinal)).SelectMany(References)];

        Assert.All(
            (string[])["RateLimiting", "Pipeline", "Providers", "Costs", "Retries", "Progress", "Diagnostics"],
            stage => Assert.Contains(manager, type => StageOf(type) == stage));
        Assert.Contains(References(typeof(LlmException)), type => StageOf(type) == "Retries");
    }

    [Fact]
    public void PublicTypes_StandInTheRootNamespace()
    {
        Assert.All(s_engine.GetExportedTypes(), type => Assert.Equal("FastLLM", type.Namespace));
    }

    private static string? StageOf(Type type) => type.Namespace is { } name && name.StartsWith("FastLLM.", StringComparison.Ordinal) ? name["FastLLM.".Length..] : null;

    private static bool IsAllowed(string stage, Type reference)
    {
        if (reference.Assembly != s_engine || reference.Namespace?.StartsWith("FastLLM", StringComparison.Ordinal) != true)
        {
            return true;
        }

        return StageOf(reference) is { } other
            ? other == stage || stage == "Pipeline" || other is "Keys" or "Diagnostics" or "Json"
            : stage == "Pipeline" || !reference.FullName!.StartsWith("FastLLM.RequestManager", StringComparison.Ordinal);
    }

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
