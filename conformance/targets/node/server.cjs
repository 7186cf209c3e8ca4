// The applications of the contract on the reference implementation, at two endpoints: one with
// a fast heartbeat, one with the usual slow one. At paths of their own they speak other dialects.
"use strict";

const http = require("node:http");
const { Server: EngineServer } = require("engine.io");
const { Server: SocketServer } = require("socket.io");
const msgpack = require("socket.io-msgpack-parser");
const { serveConformance } = require("./tier2.cjs");

const FAST = { pingInterval: 300, pingTimeout: 200, connectTimeout: 1000, upgradeTimeout: 1000 };
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
  const engines = [
    serveEngine(server, "/engine.io/", options),
    serveEngine(server, "/engine.io-3/", { ...options, allowEIO3: true }),
  ];
  const sockets = [
    serveSocket(server, "/socket.io/", options),
    serveSocket(server, "/socket.io-4/", { ...options, allowEIO3: true }),
    serveSocket(server, "/socket.io-msgpack/", { ...options, parser: msgpack }),
    serveSocket(server, "/socket.io-recovery/", { ...options, connectionStateRecovery: {} }),
  ];
  process.on("SIGTERM", () => {
    for (const one of [...sockets, ...engines]) one.close();
    server.closeAllConnections();
  });
  return server;
}

function serveEngine(server, path, { connectTimeout, ...options }) {
  const engine = new EngineServer({ ...options, maxHttpBufferSize: 1e6 });
  engine.attach(server, { path, destroyUpgrade: false });
  engine.on("connection", (socket) => {
    socket.on("message", (data) => socket.send(data));
  });
  return engine;
}

function serveSocket(server, path, options) {
  const io = new SocketServer(server, { ...options, path, destroyUpgrade: false });
  io.on("connection", (socket) => {
    socket.emit("auth", socket.handshake.auth);
    socket.on("message", (...args) => socket.emit("message-back", ...args));
    socket.on("message-with-ack", (...args) => args.pop()(...args));
  });
  io.of("/custom").on("connection", (socket) => {
    socket.emit("auth", socket.handshake.auth);
  });
  serveConformance(io);
  return io;
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
