namespace ProxyKit;

/// <summary>What the log advises about when the app starts; <see cref="ReverseProxyOptions.SilencedAdvice"/> silences each by its name.</summary>
public enum ProxyAdvice
{
    /// <summary>A FastCGI destination is on a public address. FastCGI knows neither passwords nor encryption: whoever reaches the port runs code there.</summary>
    PublicFastCgi,

    /// <summary>A route to a FastCGI cluster has its buffering switched off: slow clients occupy the application's workers.</summary>
    UnbufferedFastCgi,

    /// <summary>Requests of one session may go to FastCGI destinations on several machines, where PHP keeps sessions in files of its own.</summary>
    SplitSessions,

    /// <summary>A cluster has several destinations, and nothing finds out when one of them fails.</summary>
    NoHealthChecks,

    /// <summary>The app listens beyond this machine, in clear text only, and trusts no proxy that could have taken TLS off its hands.</summary>
    NoTls,
}
