using System.Text.Encodings.Web;
using System.Text.Json;

namespace ProxyKit.IntegrationTests.Caching;

/// <summary>What became of a test.</summary>
/// <param name="Kind"><c>required</c> by RFC 9111, <c>optimal</c>, or a <c>check</c> of what is left open.</param>
/// <param name="Outcome">In the suite's own words; <c>dependency fail</c> where a test that it depends on has not passed, whatever its own result.</param>
/// <param name="Reason">What it says of a failure.</param>
internal sealed record HttpCacheTest(string Kind, string Outcome, string Reason)
{
    public bool IsPassed => Outcome is "pass" or "yes";
}

/// <summary>The outcome of a run of the suite.</summary>
internal sealed class HttpCacheTestsScore(IReadOnlyDictionary<string, HttpCacheTest> tests)
{
    private static readonly JsonSerializerOptions s_json = new(JsonSerializerOptions.Web) { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether a test could not even tell the origin what to answer: such a run says nothing.</summary>
    public bool IsVoid => tests.Count == 0 || tests.Values.Any(t => t.Outcome is "untested" or "harness fail" || t.Reason.Contains("PUT config resulted in", StringComparison.Ordinal));

    public int Passed(string kind) => tests.Values.Count(t => t.Kind == kind && t.Outcome == "pass");

    /// <summary>The required tests that failed, not counting those that could not be made.</summary>
    public IEnumerable<string> RequiredFailures => tests.Where(t => t.Value is { Kind: "required", Outcome: "fail" }).Select(t => t.Key);

    /// <summary>The required and optimal tests that have not passed, for whatever reason, with the reason.</summary>
    public IEnumerable<string> NotPassed => tests.Where(t => t.Value.Kind != "check" && !t.Value.IsPassed).OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => $"{t.Key} ({t.Value.Kind}): {t.Value.Outcome}, {t.Value.Reason}");

    /// <summary>Where this differs from what was recorded: the test's id, what it was, what it is.</summary>
    public IEnumerable<string> Differences(string path)
    {
        var recorded = JsonSerializer.Deserialize<Record>(File.ReadAllText(path), s_json)!.Tests;
        foreach (var id in recorded.Keys.Union(tests.Keys).Order(StringComparer.Ordinal))
        {
            var before = recorded.GetValueOrDefault(id, "absent");
            var now = tests.TryGetValue(id, out var test) ? Text(test) : "absent";
            if (before != now)
                yield return $"{(test?.IsPassed == true ? "better" : "worse or other")}: {id}: {before} -> {now} {test?.Reason}";
        }
    }

    /// <summary>Writes the file that <see cref="Differences"/> reads.</summary>
    public void Write(string path) => File.WriteAllText(path, JsonSerializer.Serialize(
        new Record("http-cache-tests 0.4.5", Counts("required"), Counts("optimal"), new(tests.ToDictionary(t => t.Key, t => Text(t.Value)), StringComparer.Ordinal)), s_json) + "\n");

    public string Counts(string kind) => $"{Passed(kind)} of {tests.Values.Count(t => t.Kind == kind)}";

    private static string Text(HttpCacheTest test) => $"{test.Kind}: {test.Outcome}";

    private sealed record Record(string Suite, string Required, string Optimal, SortedDictionary<string, string> Tests);
}
