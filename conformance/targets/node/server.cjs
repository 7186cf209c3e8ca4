// The two applications of the contract on the reference implementation, at two endpoints: one with
// a fast heartbeat, one with the usual slow one.
"use strict";

const http = require("node:http");
const { Server: EngineServer } = require("engine.io");
const { Server: SocketServer } = require("socket.io");

const FAST = { pingInterval: 300, pingTimeout: 200, connectTimeout: 1000 };
const SLOW = { pingInterval: 25_000, pingTimeout: 20_000 };

// socket.io hands a request to the listeners that were there before it if the path is not its own,
// so it has to come second.
function createServer(options) {
  const server = http.createServer((_request, response) => {
    response.writeHead(404).end();
  });
  // Neither of the two answers for upgrades on other paths: without a listener, a reset of such a
  // connection would end the process.
  server.on("upgrade", (_request, socket) => socket.on("error", () => {}));
  serveEngine(server, options);
  serveSocket(server, options);
  return server;
}

function serveEngine(server, { pingInterval, pingTimeout }) {
  const engine = new EngineServer({ pingInterval, pingTimeout, maxHttpBufferSize: 1e6 });
  engine.attach(server, { path: "/engine.io/", destroyUpgrade: false });
  engine.on("connection", (socket) => {
    socket.on("message", (data) => socket.send(data));
  });
}

function serveSocket(server, options) {
  const io = new SocketServer(server, { ...options, destroyUpgrade: false });
  io.on("connection", (socket) => {
    socket.emit("auth", socket.handshake.auth);
    socket.on("message", (...args) => socket.emit("message-back", ...args));
    socket.on("message-with-ack", (...args) => args.pop()(...args));
  });
  io.of("/custom").on("connection", (socket) => {
    socket.emit("auth", socket.handshake.auth);
  });
}

function listen(server) {
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`));
  });
}

async function main() {
  const url = await listen(createServer(FAST));
  const slow_url = await listen(createServer(SLOW));
  console.log(JSON.stringify({ url, slow_url }));
}

main();
