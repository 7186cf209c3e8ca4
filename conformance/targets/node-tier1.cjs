// The two applications of the contract's tier 1 on older releases of socket.io, whose classes the
// folder that needs this one brings along. Two endpoints: a fast heartbeat, and the usual slow one.
"use strict";

const http = require("node:http");

const FAST = { pingInterval: 300, pingTimeout: 200, connectTimeout: 1000 };
const SLOW = { pingInterval: 25_000, pingTimeout: 20_000 };

function serveEngine(server, EngineServer, { pingInterval, pingTimeout }) {
  const engine = new EngineServer({ pingInterval, pingTimeout, maxHttpBufferSize: 1e6 });
  engine.attach(server, { path: "/engine.io/", destroyUpgrade: false });
  engine.on("connection", (socket) => {
    socket.on("message", (data) => socket.send(data));
  });
}

function serveSocket(server, SocketServer, options) {
  const io = new SocketServer(server, { ...options, destroyUpgrade: false });
  const greet = (socket) => {
    socket.emit("auth", socket.handshake.auth ?? queryOf(socket.handshake));
  };
  io.on("connection", (socket) => {
    greet(socket);
    // What the project advises for these releases: else an event of this name ends the process.
    socket.on("error", () => {});
    socket.on("message", (...args) => socket.emit("message-back", ...args));
    socket.on("message-with-ack", (...args) => args.pop()(...args));
  });
  io.of("/custom").on("connection", greet);
}

// Up to 2.x there is no such thing as auth, but the query of a namespace, which comes together with
// the parameters of the connection.
function queryOf({ query }) {
  const { EIO, transport, t, b64, j, sid, ...own } = query;
  return own;
}

function createServer({ EngineServer, SocketServer }, options) {
  const server = http.createServer((_request, response) => {
    response.writeHead(404).end();
  });
  // A reset of a connection that asks for an upgrade on another path is nobody's business.
  server.on("upgrade", (_request, socket) => socket.on("error", () => {}));
  serveEngine(server, EngineServer, options);
  serveSocket(server, SocketServer, options);
  return server;
}

function listen(server) {
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`));
  });
}

exports.serve = async (classes) => {
  const url = await listen(createServer(classes, FAST));
  const slow_url = await listen(createServer(classes, SLOW));
  console.log(JSON.stringify({ url, slow_url }));
};
