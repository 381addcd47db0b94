using Microsoft.Extensions.Logging.Testing;
using Microsoft.Extensions.Time.Testing;
using ProxyKit.FastCgi;

namespace ProxyKit.Tests.FastCgi;

/// <summary>A handler that talks to a scripted application.</summary>
internal sealed class FastCgiApp : IDisposable
{
    private readonly HttpMessageInvoker _invoker;

    public FastCgiApp(ScriptedConnections connections, FastCgiConnectionConfig? config = null, Func<FastCgiSettings, FastCgiSettings>? configure = null)
    {
        Connections = connections;
        var settings = new FastCgiSettings("app", connections, config ?? new(), Time, Logger);
        _invoker = new(new FastCgiHandler(configure?.Invoke(settings) ?? settings));
    }

    public ScriptedConnections Connections { get; }

    public FakeTimeProvider Time { get; } = new();

    public FakeLogger Logger { get; } = new();

    /// <summary>An application that reads a request, answers with these bytes, and waits for the connection to be closed.</summary>
    public static FastCgiApp Answering(params byte[] reply) => new(new(Replying(reply)));

    public static Func<ScriptedConnection, Task> Replying(params byte[][] replies) => async connection =>
    {
        foreach (var reply in replies)
        {
            if (await connection.TryReadRequestAsync() is null)
                return;
            await connection.WriteAsync(reply);
        }
    };

    /// <summary>The same, and then it closes the connection.</summary>
    public static Func<ScriptedConnection, Task> ReplyingAndClosing(byte[] reply) => async connection =>
    {
        await connection.ReadRequestAsync();
        await connection.WriteAsync(reply);
        connection.Close();
    };

    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken = default) => _invoker.SendAsync(request, cancellationToken);

    public Task<HttpResponseMessage> GetAsync(string method = "GET") => SendAsync(new(new(method), "http://localhost/index.php?a=1"));

    /// <summary>Status and body of the answer.</summary>
    public async Task<(int Status, string Body)> GetTextAsync(string method = "GET")
    {
        using var response = await GetAsync(method);
        return ((int)response.StatusCode, await ReadAsync(response));
    }

    /// <summary>The request fails; nothing of it stays open.</summary>
    public async Task<HttpRequestException> FailsAsync(HttpRequestError error)
    {
        var exception = await Assert.ThrowsAsync<HttpRequestException>(() => GetAsync());
        Assert.Equal(error, exception.HttpRequestError);
        Assert.All(Connections.Opened, connection =>
        {
            Assert.True(connection.IsDisposed);
            Assert.Equal(0, connection.Returns);
        });
        return exception;
    }

    public static async Task<string> ReadAsync(HttpResponseMessage response)
    {
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(), System.Text.Encoding.Latin1);
        return await reader.ReadToEndAsync();
    }

    public void Dispose() => _invoker.Dispose();
}
