using System.Text;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;

namespace ProxyKit.IntegrationTests.Protocols;

/// <summary>A gRPC service without generated code: every message is a string.</summary>
[BindServiceMethod(typeof(GrpcEcho), nameof(Bind))]
internal class GrpcEcho
{
    private static readonly Marshaller<string> s_text = Marshallers.Create(Encoding.UTF8.GetBytes, Encoding.UTF8.GetString);

    public static readonly Method<string, string> Unary = Create(MethodType.Unary, "Unary");
    public static readonly Method<string, string> Down = Create(MethodType.ServerStreaming, "Down");
    public static readonly Method<string, string> Up = Create(MethodType.ClientStreaming, "Up");
    public static readonly Method<string, string> Both = Create(MethodType.DuplexStreaming, "Both");

    /// <summary>Done when a call of "Both" or a unary "wait" has seen its cancellation.</summary>
    public TaskCompletionSource Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static void Bind(ServiceBinderBase binder, GrpcEcho? service)
    {
        binder.AddMethod(Unary, service is null ? null : service.UnaryAsync);
        binder.AddMethod(Down, service is null ? null : service.DownAsync);
        binder.AddMethod(Up, service is null ? null : service.UpAsync);
        binder.AddMethod(Both, service is null ? null : service.BothAsync);
    }

    public virtual async Task<string> UnaryAsync(string request, ServerCallContext context)
    {
        context.ResponseTrailers.Add("x-trailer", "after");
        switch (request)
        {
            case "fail":
                throw new RpcException(new(StatusCode.FailedPrecondition, "not like this: é"), new Metadata { { "grpc-status-details-bin", [1, 2, 255] }, { "x-why", "because" } });
            case "late-fail":
                await context.WriteResponseHeadersAsync(new() { { "x-early", "yes" } });
                throw new RpcException(new(StatusCode.DataLoss, "afterwards"));
            case "wait":
                try
                {
                    await Task.Delay(Timeout.Infinite, context.CancellationToken);
                }
                finally
                {
                    Cancelled.TrySetResult();
                }
                break;
            case "deadline":
                return context.Deadline == DateTime.MaxValue ? "none" : "some";
        }
        return request;
    }

    public virtual async Task DownAsync(string request, IServerStreamWriter<string> responses, ServerCallContext context)
    {
        for (var i = 0; i < int.Parse(request, null); i++)
            await responses.WriteAsync($"{i}");
        context.ResponseTrailers.Add("x-trailer", "after");
    }

    public virtual async Task<string> UpAsync(IAsyncStreamReader<string> requests, ServerCallContext context)
    {
        var length = 0;
        await foreach (var request in requests.ReadAllAsync(context.CancellationToken))
        {
            length += request.Length;
            if (request == "enough")
                return "enough";
        }
        return $"{length}";
    }

    public virtual async Task BothAsync(IAsyncStreamReader<string> requests, IServerStreamWriter<string> responses, ServerCallContext context)
    {
        try
        {
            await foreach (var request in requests.ReadAllAsync(context.CancellationToken))
                await responses.WriteAsync($"re: {request}");
        }
        catch (Exception) when (context.CancellationToken.IsCancellationRequested)
        {
            Cancelled.TrySetResult();
            throw;
        }
        context.ResponseTrailers.Add("x-trailer", "after");
    }

    private static Method<string, string> Create(MethodType type, string name) => new(type, "test.Echo", name, s_text, s_text);
}
