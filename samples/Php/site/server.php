<?php
// What the proxy tells PHP of a request (RFC 3875), without what belongs to the visitor alone: cookies and credentials.
header('Content-Type: text/plain; charset=utf-8');
header('Cache-Control: no-store');
$names = [
    'REQUEST_METHOD', 'REQUEST_URI', 'QUERY_STRING', 'DOCUMENT_ROOT', 'SCRIPT_FILENAME', 'SCRIPT_NAME', 'PATH_INFO', 'PHP_SELF', 'SERVER_PROTOCOL', 'SERVER_SOFTWARE',
    'SERVER_NAME', 'SERVER_PORT', 'REQUEST_SCHEME', 'HTTPS', 'REMOTE_ADDR', 'GATEWAY_INTERFACE', 'HTTP_HOST', 'HTTP_USER_AGENT', 'HTTP_ACCEPT',
];
foreach ($names as $name) {
    echo str_pad($name, 20), $_SERVER[$name] ?? '(not set)', "\n";
}
