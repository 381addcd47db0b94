using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace ProxyKit.Benchmarks.Load;

/// <summary>The temporary folder that everything a run writes goes into: compiled tools, a certificate, nginx's files.</summary>
internal sealed class Workspace : IDisposable
{
    private Workspace(string folder) => Folder = folder;

    public string Folder { get; }

    public string LoadGenerator => Path.Combine(Folder, "lg");

    public string Backend => Path.Combine(Folder, "backend");

    public string SlowClients => Path.Combine(Folder, "slow");

    public string CertificatePfx => Path.Combine(Folder, "certificate.pfx");

    public string CertificatePem => Path.Combine(Folder, "certificate.pem");

    public string KeyPem => Path.Combine(Folder, "key.pem");

    /// <summary>h2load writes each request by itself, and on a disk that is enough to slow it down.</summary>
    public string RequestLog => Path.Combine("/dev/shm", Path.GetFileName(Folder) + ".log");

    /// <summary>Where a target writes its files.</summary>
    public string TargetFolder(string name) => Path.Combine(Folder, name);

    public static async Task<Workspace> CreateAsync(CancellationToken cancellation)
    {
        if (!OperatingSystem.IsLinux())
            throw new LoadException("The comparisons read /proc and use epoll: they run on Linux.");
        var gcc = Tool.Find("gcc")
            ?? throw new LoadException("The load generator and the backend are in C and need a compiler: apt-get install gcc libc6-dev");
        var workspace = new Workspace(Directory.CreateTempSubdirectory("proxykit-load-").FullName);
        try
        {
            // nginx's workers give up root, and spill large bodies into a folder below this one.
            File.SetUnixFileMode(workspace.Folder, (UnixFileMode)0b111_101_101);
            workspace.WriteCertificate();
            await CompileAsync(gcc, "lg.c", workspace.LoadGenerator, cancellation);
            await CompileAsync(gcc, "backend.c", workspace.Backend, cancellation);
            await CompileAsync(gcc, "slow.c", workspace.SlowClients, cancellation);
            return workspace;
        }
        catch
        {
            workspace.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        File.Delete(RequestLog);
        Directory.Delete(Folder, recursive: true);
    }

    private static async Task CompileAsync(string gcc, string source, string output, CancellationToken cancellation)
    {
        var path = Path.Combine(AppContext.BaseDirectory, "Load", "native", source);
        var (exitCode, _, error) = await Tool.RunAsync(gcc, ["-O2", "-o", output, path], cancellation);
        if (exitCode != 0)
            throw new LoadException($"{path} does not compile (is libc6-dev installed?):\n{error}");
    }

    private void WriteCertificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(7));
        File.WriteAllBytes(CertificatePfx, certificate.Export(X509ContentType.Pfx));
        File.WriteAllText(CertificatePem, certificate.ExportCertificatePem());
        File.WriteAllText(KeyPem, key.ExportPkcs8PrivateKeyPem());
    }
}
