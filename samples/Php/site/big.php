<?php
// Ten megabytes. PHP hands them over at once and is free for the next; a slow client takes them off the proxy.
header('Content-Type: application/octet-stream');
$line = str_repeat('0123456789abcdef', 4096);
for ($i = 0; $i < 160; $i++) {
    echo $line;
}
