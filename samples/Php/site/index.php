<?php
// The front controller: it answers for every address that is neither a file nor a script.
session_start();
$_SESSION['visits'] = ($_SESSION['visits'] ?? 0) + 1;

function text(string $text): string
{
    return htmlspecialchars($text, ENT_QUOTES | ENT_SUBSTITUTE);
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$file = $_FILES['file'] ?? null;
$arrived = $file && $file['error'] === UPLOAD_ERR_OK;
if ($file && !$arrived) {
    http_response_code(400);
    error_log("An upload failed with error {$file['error']}."); // the proxy's log has it
}
?>
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>PHP behind ProxyKit</title>
<link rel="stylesheet" href="/style.css">
<script src="/upload.js" defer></script>
<h1>PHP <?= text(PHP_VERSION) ?> behind ProxyKit</h1>
<p>You asked for <code><?= text($path) ?></code>. This is your visit number <?= $_SESSION['visits'] ?>.</p>
<?php if ($arrived) { ?>
<p class="arrived">Arrived: <?= text($file['name']) ?>, <?= filesize($file['tmp_name']) ?> bytes, SHA-1 <?= sha1_file($file['tmp_name']) ?></p>
<?php } ?>
<form method="post" enctype="multipart/form-data" action="/">
    <input type="file" name="file" required>
    <button>Upload</button>
    <output></output>
</form>
<p><a href="/server.php">What PHP is told</a>, <a href="/any/pretty/address?with=a+query">a pretty address</a>, <a href="/big.php">ten megabytes</a></p>
