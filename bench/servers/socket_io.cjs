// socket.io on Node, speaking the application of the bench.
//     node --expose-gc socket_io.cjs PORT [CERTIFICATE.pem]
const fs = require("node:fs");
const { Server } = require("socket.io");

const [port, certificate] = process.argv.slice(2);
const pem = certificate && fs.readFileSync(certificate);
const server = pem
  ? require("node:https").createServer({ cert: pem, key: pem })
  : require("node:http").createServer();
const io = new Server(server, { serveClient: false });
let received = 0;

function connection(socket) {
  socket.on("echo", (value, answer) => answer(value));
  socket.on("ev", () => { received++; });
  socket.on("bcast", (value) => io.emit("msg", value));
  socket.on("broom", (value) => io.to("r").emit("msg", value));
  socket.on("join", (answer) => { socket.join("r"); answer(0); });
  socket.on("count", (answer) => answer(received));
  socket.on("gc", (answer) => { global.gc?.(); answer(0); });
}

io.on("connection", connection);
io.of("/other").on("connection", connection);
server.listen(Number(port), "127.0.0.1", 1024);
