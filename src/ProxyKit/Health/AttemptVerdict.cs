using ProxyKit.Configuration;
using ProxyKit.Pipeline;

namespace ProxyKit.Health;

/// <summary>What an attempt says about the destination.</summary>
internal enum AttemptVerdict
{
    /// <summary>Nothing: the client or the proxy itself is to blame.</summary>
    None,
    Success,
    Failure,
}

internal static class AttemptVerdicts
{
    public static AttemptVerdict Verdict(this in AttemptOutcome outcome, StatusRanges? failures) => outcome.Error switch
    {
        _ when outcome.Class == FailureClass.Client => AttemptVerdict.None,
        ProxyError.None => failures?.Contains(outcome.StatusCode) == true ? AttemptVerdict.Failure : AttemptVerdict.Success,
        _ => IsDestinations(outcome.Error) ? AttemptVerdict.Failure : AttemptVerdict.None,
    };

    private static bool IsDestinations(ProxyError error) => error is
        ProxyError.NameResolution or ProxyError.Connect or ProxyError.ConnectTimeout or ProxyError.Tls or ProxyError.Request or ProxyError.RequestBodyDestination
        or ProxyError.FirstByteTimeout or ProxyError.IdleTimeout or ProxyError.TotalTimeout or ProxyError.InvalidResponse or ProxyError.Overloaded;
}
