using System.Collections;
using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Configuration;
using NJsonSchema;
using NJsonSchema.Validation;
using ProxyKit.Configuration;

namespace ProxyKit.Tests.Configuration;

/// <summary>ConfigurationSchema.json, the records and the JSON reader say the same.</summary>
public class SchemaTests
{
    private static readonly JsonObject s_schema = JsonNode.Parse(File.ReadAllText(Repository.Path("src", "ProxyKit", "ConfigurationSchema.json")))!.AsObject();

    /// <summary>A definition and the record that it describes.</summary>
    public static TheoryData<string, Type> Records => new()
    {
        { "Route", typeof(RouteConfig) },
        { "Match", typeof(RouteMatch) },
        { "HeaderMatch", typeof(HeaderMatch) },
        { "QueryParameterMatch", typeof(QueryParameterMatch) },
        { "Split", typeof(SplitConfig) },
        { "SplitCluster", typeof(SplitClusterConfig) },
        { "CookieMatch", typeof(CookieMatch) },
        { "SplitSticky", typeof(SplitStickyConfig) },
        { "Mirror", typeof(MirrorConfig) },
        { "Buffering", typeof(BufferingConfig) },
        { "Compression", typeof(CompressionConfig) },
        { "RequestBuffering", typeof(RequestBufferingConfig) },
        { "ResponseBuffering", typeof(ResponseBufferingConfig) },
        { "Cache", typeof(CacheConfig) },
        { "CacheKey", typeof(CacheKeyConfig) },
        { "CacheCondition", typeof(CacheConditionConfig) },
        { "FastCgi", typeof(FastCgiConfig) },
        { "Site", typeof(SiteConfig) },
        { "StaticFiles", typeof(StaticFilesConfig) },
        { "FastCgiConnections", typeof(FastCgiConnectionConfig) },
        { "Cluster", typeof(ClusterConfig) },
        { "Hash", typeof(HashConfig) },
        { "Destination", typeof(DestinationConfig) },
        { "Limits", typeof(ConcurrencyLimitsConfig) },
        { "HttpRequest", typeof(HttpRequestConfig) },
        { "SessionAffinity", typeof(SessionAffinityConfig) },
        { "SessionAffinityCookie", typeof(SessionAffinityCookieConfig) },
        { "SessionAffinityLearn", typeof(SessionAffinityLearnConfig) },
        { "HealthCheck", typeof(HealthCheckConfig) },
        { "ActiveHealthCheck", typeof(ActiveHealthCheckConfig) },
        { "Discovery", typeof(DiscoveryConfig) },
        { "PassiveHealthCheck", typeof(PassiveHealthCheckConfig) },
        { "Resilience", typeof(ResilienceConfig) },
        { "Retries", typeof(RetryConfig) },
        { "Hedging", typeof(HedgingConfig) },
        { "OutlierEjection", typeof(OutlierEjectionConfig) },
        { "CircuitBreaker", typeof(CircuitBreakerConfig) },
        { "Timeouts", typeof(TimeoutConfig) },
        { "HttpClient", typeof(HttpClientConfig) },
        { "ClientCertificate", typeof(ClientCertificateConfig) },
        { "WebProxy", typeof(WebProxyConfig) },
    };

    // What deliberately differs: a destination's name is the key under which it stands; ActivityTimeout is YARP's name for two of our limits, Policy its name for the only one.
    // A delegate comes from code only.
    private static readonly string[] s_onlyInRecords = ["DestinationConfig.Name", "ResilienceConfig.Pipeline", "HashConfig.Key", "FastCgiConfig.ComputedParameters", "CacheKeyConfig.Custom", "CacheConditionConfig.When"];
    private static readonly string[] s_onlyInSchema = ["HttpRequestConfig.ActivityTimeout", "ActiveHealthCheckConfig.Policy"];

    [Theory]
    [MemberData(nameof(Records))]
    public void Records_and_schema_have_the_same_properties(string definition, Type record)
    {
        var inRecord = record.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Select(p => p.Name).Where(name => !s_onlyInRecords.Contains($"{record.Name}.{name}"));
        var inSchema = Properties(Definition(definition)).Where(name => !s_onlyInSchema.Contains($"{record.Name}.{name}"));

        Assert.Equal(inRecord.Order(), inSchema.Order());
    }

    [Fact]
    public void Every_record_of_the_configuration_is_covered()
    {
        var reachable = new HashSet<Type>();
        Visit(typeof(RouteConfig));
        Visit(typeof(ClusterConfig));

        Assert.Equal(Records.Select(row => row.Data.Item2.Name).Order(), reachable.Select(t => t.Name).Order());

        void Visit(Type type)
        {
            if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueList<>))
                type = type.GetGenericArguments()[0];
            if (type.Assembly != typeof(RouteConfig).Assembly || type.IsEnum || type == typeof(Transform) || type == typeof(ValueMap) || !reachable.Add(type))
                return;
            foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
                Visit(property.PropertyType);
        }
    }

    [Theory]
    [MemberData(nameof(Records))]
    public void Enumerations_have_the_same_names(string definition, Type record)
    {
        foreach (var property in record.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            if (type.IsEnum && property.Name != nameof(HttpClientConfig.SslProtocols))
                Assert.Equal(Enum.GetNames(type).Order(), Definition(definition)["properties"]![property.Name]!["enum"]!.AsArray().Select(n => n!.GetValue<string>()).Order());
        }
    }

    [Theory]
    [MemberData(nameof(Records))]
    public void Defaults_are_what_the_schema_says(string definition, Type record)
    {
        var defaults = Activator.CreateInstance(record)!;
        foreach (var property in record.GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            var text = property.GetValue(defaults) switch
            {
                TimeSpan value => value == Timeout.InfiniteTimeSpan ? "infinite" : value.ToString(),
                bool value => value ? "true" : "false",
                int value => value.ToString(),
                long value => value.ToString(),
                double value => value.ToString(),
                Enum value => value.ToString(),
                _ => null,
            };
            if (text is not null)
                Assert.Contains($"Default: {text}", Definition(definition)["properties"]![property.Name]!["description"]!.GetValue<string>());
        }
    }

    [Fact]
    public void Every_object_in_the_schema_is_strict_and_every_property_is_described()
    {
        foreach (var (path, schema) in Objects())
        {
            Assert.False(schema["additionalProperties"]!.GetValue<bool>(), path);
            foreach (var (name, property) in schema["properties"]!.AsObject())
            {
                var target = Resolve(property!.AsObject());
                Assert.True(property["description"] is not null || target["description"] is not null || (schema["description"] is not null && target == Definition("Flag")), $"{path}.{name}");
            }
        }
    }

    [Fact]
    public void The_schema_and_the_reader_know_the_same_transforms()
    {
        var table = (IEnumerable)typeof(TransformReader).GetField("s_transforms", BindingFlags.Static | BindingFlags.NonPublic)!.GetValue(null)!;
        var read = table.Cast<(string Key, Func<SectionReader, Transform?> Read)>().Select(t => t.Key);

        Assert.Equal(read, Transforms().Select(t => t["required"]![0]!.GetValue<string>()));
    }

    [Fact]
    public void The_reader_knows_exactly_the_keys_of_the_schema()
    {
        // An error about an unknown key lists the keys there are.
        foreach (var (path, schema) in Objects())
        {
            var sample = Sample(schema);
            sample["qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"] = "";

            var error = Assert.Single(Load(Wrap(path, sample)), e => e.Contains("qqqq", StringComparison.Ordinal));

            var known = Regex.Match(error, "Known are (.*)\\.$").Groups[1].Value.Split(", ").Where(key => !key.Contains(':', StringComparison.Ordinal));
            Assert.Equal(Properties(schema).Order(StringComparer.OrdinalIgnoreCase), known.Order(StringComparer.OrdinalIgnoreCase));
        }
    }

    [Fact]
    public async Task A_configuration_with_every_key_validates_and_loads()
    {
        var section = Sample(Resolve(s_schema["properties"]!["ReverseProxy"]!.AsObject()));
        section["Clusters"]!["a"]!["HttpRequest"]!.AsObject().Remove("ActivityTimeout"); // excludes Timeouts:Idle

        Assert.Empty(await ValidateAsync(section));
        Assert.Empty(Load(section));
    }

    [Theory]
    [InlineData("""{ "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/{**path}" } } }, "Clusters": { "c": { "Destinations": { "d": { "Address": "http://localhost:5001" } } } } }""")]
    [InlineData("""{ "$schema": "x", "Routes": [ { "RouteId": "r", "ClusterId": "c", "Match": { "Hosts": [ "*.example.com" ] } } ], "Clusters": [ { "ClusterId": "c", "Destinations": [ { "Address": "https://a" } ] } ] }""")]
    [InlineData("""{ "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/" }, "Transforms": [ { "RequestHeaderOriginalHost": "true" }, { "ResponseHeader": "A", "Append": "b", "When": "Always" } ] } } }""")]
    [InlineData("""{ "Clusters": { "c": { "HttpRequest": { "Version": "2", "VersionPolicy": "RequestVersionExact", "ActivityTimeout": "00:01:00" }, "Metadata": { "a": 1 } } } }""")]
    public async Task Good_configuration_validates_and_loads(string json)
    {
        var section = JsonNode.Parse(json)!.AsObject();

        Assert.Empty(await ValidateAsync(section));
        Assert.Empty(Load(section));
    }

    [Theory]
    [InlineData("""{ "Route": {} }""")]
    [InlineData("""{ "Routes": { "r": { "Cluster": "c", "ClusterId": "c", "Matches": { "Path": "/" }, "Match": { "Path": "/" } } } }""")]
    [InlineData("""{ "Routes": { "r": { "ClusterId": "c", "Match": { "Paths": "/" } } } }""")]
    [InlineData("""{ "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/" }, "Transforms": [ { "PathRemovePrefx": "/a" } ] } } }""")]
    [InlineData("""{ "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/" }, "Transforms": [ { "RequestHeader": "A", "Set": "b", "Append": "c" } ] } } }""")]
    [InlineData("""{ "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/" }, "Transforms": [ { "PathPrefix": "/a", "Set": "b" } ] } } }""")]
    [InlineData("""{ "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/" }, "Split": { "Clusters": [ { "ClusterId": "d", "Percent": 5 } ] } } } }""")]
    [InlineData("""{ "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/" }, "Split": { "Clusters": [ { "ClusterId": "d", "Percentage": "5%" } ] } } } }""")]
    [InlineData("""{ "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/" }, "Mirror": { "Percentage": 5 } } } }""")]
    [InlineData("""{ "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/" }, "Cache": { "DefaultTimeToLive": "60" } } } }""")]
    [InlineData("""{ "Clusters": { "c": { "Hash": { "Source": "Ip" } } } }""")]
    [InlineData("""{ "Clusters": { "c": { "LoadBalancing": "RoundRobin" } } }""")]
    [InlineData("""{ "Clusters": { "c": { "Destinations": { "d": { "Adress": "http://a" } } } } }""")]
    [InlineData("""{ "Clusters": { "c": { "Timeouts": { "Idle": "soon" } } } }""")]
    [InlineData("""{ "Clusters": { "c": { "Timeouts": { "Idle": "30" } } } }""")]
    [InlineData("""{ "Clusters": { "c": { "HttpRequest": { "Version": "4" , "VersionPolicy": "Exact" } } } }""")]
    public async Task What_is_misspelt_is_rejected_by_schema_and_reader_alike(string json)
    {
        var section = JsonNode.Parse(json)!.AsObject();

        Assert.NotEmpty(await ValidateAsync(section));
        Assert.NotEmpty(Load(section));
    }

    [Fact]
    public void A_whole_configuration_can_be_loaded_and_may_hold_other_things()
    {
        using var json = new MemoryStream("""{ "Logging": {}, "Routes": { "r": { "ClusterId": "c", "Match": { "Path": "/" } } } }"""u8.ToArray());

        var config = new ConfigurationConfigSource(new ConfigurationBuilder().AddJsonStream(json).Build()).GetConfig();

        Assert.Equal("r", Assert.Single(config.Routes).RouteId);
        Assert.Empty(config.Errors);
    }

    internal static async Task<ICollection<ValidationError>> ValidateAsync(JsonObject section)
    {
        var schema = await JsonSchema.FromJsonAsync(s_schema.ToJsonString());
        return schema.Validate(new JsonObject { ["ReverseProxy"] = section.DeepClone() }.ToJsonString());
    }

    private static ValueList<string> Load(JsonObject section)
    {
        using var json = new MemoryStream(Encoding.UTF8.GetBytes(new JsonObject { ["ReverseProxy"] = section.DeepClone() }.ToJsonString()));
        return new ConfigurationConfigSource(new ConfigurationBuilder().AddJsonStream(json).Build().GetSection("ReverseProxy")).GetConfig().Errors;
    }

    private static JsonObject Definition(string name) => s_schema["definitions"]![name]!.AsObject();

    private static IEnumerable<string> Properties(JsonObject schema) => schema["properties"]!.AsObject().Select(p => p.Key);

    private static IEnumerable<JsonObject> Transforms() => Definition("Transform")["anyOf"]!.AsArray().Select(t => t!.AsObject());

    private static JsonObject Resolve(JsonObject schema)
    {
        if (schema["allOf"] is { } all)
            schema = all[0]!.AsObject();
        return schema["$ref"] is { } reference ? Definition(reference.GetValue<string>()["#/definitions/".Length..]) : schema;
    }

    /// <summary>The objects with keys of their own, and where in the section each stands; <c>*</c> is a name or an index.</summary>
    private static IEnumerable<(string Path, JsonObject Schema)> Objects()
    {
        yield return ("", s_schema["properties"]!["ReverseProxy"]!.AsObject());
        yield return ("Routes/*", Definition("Route"));
        yield return ("Routes/*/Match", Definition("Match"));
        yield return ("Routes/*/Match/Headers/*", Definition("HeaderMatch"));
        yield return ("Routes/*/Match/QueryParameters/*", Definition("QueryParameterMatch"));
        yield return ("Routes/*/Split", Definition("Split"));
        yield return ("Routes/*/Split/Clusters/*", Definition("SplitCluster"));
        yield return ("Routes/*/Split/Clusters/*/Headers/*", Definition("HeaderMatch"));
        yield return ("Routes/*/Split/Clusters/*/Cookies/*", Definition("CookieMatch"));
        yield return ("Routes/*/Split/Sticky", Definition("SplitSticky"));
        yield return ("Routes/*/Mirror", Definition("Mirror"));
        yield return ("Routes/*/Cache", Definition("Cache"));
        yield return ("Routes/*/Cache/Key", Definition("CacheKey"));
        yield return ("Routes/*/Cache/Bypass", Definition("CacheCondition"));
        yield return ("Routes/*/Cache/NoStore", Definition("CacheCondition"));
        yield return ("Routes/*/Compression", Definition("Compression"));
        yield return ("Routes/*/Site", Definition("Site"));
        yield return ("Routes/*/StaticFiles", Definition("StaticFiles"));
        yield return ("Clusters/*", Definition("Cluster"));
        yield return ("Clusters/*/Hash", Definition("Hash"));
        yield return ("Clusters/*/Destinations/*", Definition("Destination"));
        yield return ("Clusters/*/Limits", Definition("Limits"));
        yield return ("Clusters/*/SessionAffinity", Definition("SessionAffinity"));
        yield return ("Clusters/*/SessionAffinity/Cookie", Definition("SessionAffinityCookie"));
        yield return ("Clusters/*/SessionAffinity/Learn", Definition("SessionAffinityLearn"));
        yield return ("Clusters/*/HttpRequest", Definition("HttpRequest"));
        yield return ("Clusters/*/HealthCheck", Definition("HealthCheck"));
        yield return ("Clusters/*/HealthCheck/Active", Definition("ActiveHealthCheck"));
        yield return ("Clusters/*/HealthCheck/Passive", Definition("PassiveHealthCheck"));
        yield return ("Clusters/*/HealthCheck/Passive/OutlierEjection", Definition("OutlierEjection"));
        yield return ("Clusters/*/CircuitBreaker", Definition("CircuitBreaker"));
        yield return ("Clusters/*/Timeouts", Definition("Timeouts"));
        yield return ("Clusters/*/Discovery", Definition("Discovery"));
        yield return ("Clusters/*/HttpClient", Definition("HttpClient"));
        yield return ("Clusters/*/HttpClient/ClientCertificate", Definition("ClientCertificate"));
        yield return ("Clusters/*/HttpClient/WebProxy", Definition("WebProxy"));
        foreach (var transform in Transforms())
            yield return ("Routes/*/Transforms/*", transform);
    }

    private static JsonObject Wrap(string path, JsonObject value) =>
        path.Split('/', StringSplitOptions.RemoveEmptyEntries).Reverse().Aggregate(value, (inner, name) => new JsonObject { [name == "*" ? "0" : name] = inner });

    /// <summary>An object with every key that the schema allows.</summary>
    private static JsonObject Sample(JsonObject schema)
    {
        var sample = new JsonObject();
        foreach (var (name, property) in schema["properties"]!.AsObject())
            sample[name] = SampleValue(property!.AsObject());
        if (schema["oneOf"] is not null)
            sample.Remove("Append"); // excludes Set
        return sample;
    }

    private static JsonNode SampleValue(JsonObject property)
    {
        var schema = Resolve(property);
        if (schema["examples"] is { } examples)
            return examples[0]!.DeepClone();
        if (schema["enum"] is { } names)
            return names[0]!.DeepClone();
        if (schema["properties"] is not null)
            return Sample(schema);
        if (ReferenceEquals(schema, Definition("Transform")))
            throw new InvalidOperationException("Transforms are made all at once.");
        if (schema["anyOf"] is { } any)
            return SampleValue(any[0]!.AsObject());
        if (schema["type"] is JsonArray)
            return "text";
        return schema["type"]!.GetValue<string>() switch
        {
            "boolean" => true,
            "string" => "text",
            "object" => new JsonObject { ["a"] = SampleValue(schema["additionalProperties"]!.AsObject()) },
            "array" when Resolve(schema["items"]!.AsObject()) is var items && ReferenceEquals(items, Definition("Transform")) => new JsonArray([.. Transforms().Select(Sample)]),
            "array" => new JsonArray(SampleValue(schema["items"]!.AsObject())),
            var type => throw new InvalidOperationException($"No sample for {type}."),
        };
    }
}
