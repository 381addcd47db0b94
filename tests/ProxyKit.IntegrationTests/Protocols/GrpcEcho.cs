using System.Text;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;

namespace ProxyKit.IntegrationTests.Protocols;

/// <summary>A gRPC service without generated code: every message is a string.</summary>
[BindServiceMethod(typeof(GrpcEcho), nameof(Bind))]
internal class GrpcEcho
{
    private static readonly Marshaller<string> s_text = Marshallers.Create(Encoding.UTF8.GetBytes, Encoding.UTF8.GetString);

    public static readonly Method<string, string> UnaryCall = Create(MethodType.Unary, "Unary");
    public static readonly Method<string, string> DownCall = Create(MethodType.ServerStreaming, "Down");
    public static readonly Method<string, string> UpCall = Create(MethodType.ClientStreaming, "Up");
    public static readonly Method<string, string> BothCall = Create(MethodType.DuplexStreaming, "Both");

    /// <summary>Done when a call of "Both" or a unary "wait" has seen its cancellation.</summary>
    public TaskCompletionSource Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public static void Bind(ServiceBinderBase binder, GrpcEcho? service)
    {
        binder.AddMethod(UnaryCall, service is null ? null : service.Unary);
        binder.AddMethod(DownCall, service is null ? null : service.Down);
        binder.AddMethod(UpCall, service is null ? null : service.Up);
        binder.AddMethod(BothCall, service is null ? null : service.Both);
    }

    public virtual async Task<string> Unary(string request, ServerCallContext context)
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

    public virtual async Task Down(string request, IServerStreamWriter<string> responses, ServerCallContext context)
    {
        for (var i = 0; i < int.Parse(request, null); i++)
            await responses.WriteAsync($"{i}");
        context.ResponseTrailers.Add("x-trailer", "after");
    }

    public virtual async Task<string> Up(IAsyncStreamReader<string> requests, ServerCallContext context)
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

    public virtual async Task Both(IAsyncStreamReader<string> requests, IServerStreamWriter<string> responses, ServerCallContext context)
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
