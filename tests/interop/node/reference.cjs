// The application of ../app.py on the reference implementation: of the major version of today, whose
// packages are installed in conformance/targets/node, or of a former one (`--major 2`). Same options,
// same line of JSON, same end.
"use strict";

const http = require("node:http");
const path = require("node:path");
const { createRequire } = require("node:module");
const { parseArgs } = require("node:util");

const targets = path.join(__dirname, "../../../conformance/targets/node/server.cjs");

const text = { type: "string" };
const { values: options } = parseArgs({
  options: { port: text, "ping-interval": text, "ping-timeout": text, recovery: text, major: text },
});
const major = Number(options.major ?? 4);
const socketio = major === 4 ? createRequire(targets)("socket.io") : require(`socket.io-${major}`);
const Server = socketio.Server ?? socketio;

const departures = new Map();

/** What was noted about a socket, once that is complete. */
function departure(id) {
  if (!departures.has(id)) {
    let end;
    const complete = new Promise((resolve) => (end = resolve));
    departures.set(id, { seen: [], complete, end });
  }
  return departures.get(id);
}

// What differs between the major versions.

/** Names of the rooms of a socket. */
function roomsOf(socket) {
  return major === 2 ? Object.keys(socket.rooms) : [...socket.rooms];
}

/** Join or leave, and go on when that is done: version 2 takes its time. */
function change(socket, method, rooms, done) {
  if (major === 2) socket[method](rooms, done);
  else {
    socket[method](rooms);
    done();
  }
}

/** Emit to everybody who is not in the room. */
function emitToOthers(namespace, room, ...args) {
  if (major >= 4) {
    namespace.except(room).emit(...args);
    return;
  }
  const sockets = major === 2 ? Object.values(namespace.connected) : namespace.sockets.values();
  for (const socket of sockets) {
    if (!roomsOf(socket).includes(room)) socket.emit(...args);
  }
}

function install(namespace) {
  namespace.use((socket, next) => {
    const { token, user } = { ...socket.handshake.query, ...socket.handshake.auth };
    socket.user = user ?? null;
    if (token === "wrong") next(Object.assign(new Error("wrong token"), { data: { retry: false } }));
    else if (token === "old") next(new Error("old token"));
    else next();
  });
  namespace.on("connection", (socket) => {
    const received = [];
    socket.emit("welcome", socket.id, socket.user);
    socket.on("echo", (...args) => socket.emit("echo", ...args));
    socket.on("echo-ack", (...args) => args.pop()(...args));
    socket.on("ask-me", (...args) => {
      const answer = args.pop();
      socket.emit("question", ...args, answer);
    });
    socket.on("join", (...rooms) => {
      const answer = rooms.pop();
      change(socket, "join", rooms, () => answer(roomsOf(socket)));
    });
    socket.on("leave", (room, answer) => {
      change(socket, "leave", room, () => answer(roomsOf(socket)));
    });
    socket.on("tell-room", (rooms, ...args) => {
      rooms.reduce((to, room) => to.to(room), socket).emit("told", socket.id, ...args);
    });
    socket.on("tell-everybody-but", (room, ...args) => {
      emitToOthers(namespace, room, "told", socket.id, ...args);
    });
    socket.on("number", (value, answer) => {
      received.push(value);
      socket.emit("numbered", value);
      answer(value);
    });
    socket.on("numbers", (answer) => answer(received));
    socket.on("kick-me", (close) => {
      socket.emit("bye");
      socket.disconnect(close);
    });
    socket.on("departure-of", async (id, answer) => {
      await departure(id).complete;
      answer(departure(id).seen);
    });
    const { seen, end } = departure(socket.id);
    socket.on("disconnecting", (reason) => seen.push(["disconnecting", reason, roomsOf(socket)]));
    socket.on("disconnect", (reason) => {
      seen.push(["disconnect", reason, roomsOf(socket)]);
      end();
    });
  });
}

const server = http.createServer();
const io = new Server(server, {
  allowEIO3: true,
  pingInterval: 1000 * (options["ping-interval"] ?? 25),
  pingTimeout: 1000 * (options["ping-timeout"] ?? 20),
  ...(options.recovery && { connectionStateRecovery: {} }),
});
install(io.of("/"));
install(io.of("/custom"));
server.listen(Number(options.port ?? 0), "127.0.0.1", () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` }));
});
process.on("SIGTERM", () => io.close(() => process.exit(0)));
