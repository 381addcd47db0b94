// Loaded before the suite's origin, which would listen on all addresses of the machine.
const http = require('http')

const listen = http.Server.prototype.listen
http.Server.prototype.listen = function (port) {
  return listen.call(this, port, '127.0.0.1')
}
