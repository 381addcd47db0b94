using System.Security.Cryptography;

namespace ProxyKit.Benchmarks.Php;

/// <summary>A small PHP site, written into the run's folder, and what its pages answer.</summary>
internal sealed class PhpSite
{
    public const string Hello = "/hello.php", Upload = "/upload.php", Download = "/download.php";

    private readonly string _folder;

    public PhpSite(string folder, int size = 1 << 20)
    {
        _folder = folder;
        Root = Directory.CreateDirectory(Path.Combine(folder, "site")).FullName;
        Write(Path.Combine("site", "index.php"), "<?php echo \"index\\n\";");
        Write(Path.Combine("site", "hello.php"), "<?php echo \"hello\\n\";");
        // What arrived, said so that a client can tell.
        Write(Path.Combine("site", "upload.php"), "<?php $body = file_get_contents('php://input'); echo strlen($body), ' ', md5($body), \"\\n\";");
        Write(Path.Combine("site", "download.php"), $"<?php header('Content-Type: application/octet-stream'); readfile('{Body}');");
        var body = RandomNumberGenerator.GetBytes(size);
        File.WriteAllBytes(Body, body);
        Write("hello.txt", "hello\n");
        Write("upload.txt", $"{size} {Convert.ToHexStringLower(MD5.HashData(body))}\n");
    }

    public string Root { get; }

    /// <summary>What clients upload, and download.</summary>
    public string Body => Path.Combine(_folder, "body");

    /// <summary>The file with the answer of <see cref="Hello"/>.</summary>
    public string HelloAnswer => Path.Combine(_folder, "hello.txt");

    /// <summary>The file with the answer of <see cref="Upload"/> to <see cref="Body"/>: the length and the hash that PHP saw.</summary>
    public string UploadAnswer => Path.Combine(_folder, "upload.txt");

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder, name), text);
}
