// The second tier of the contract on the reference implementation.
"use strict";

const { setTimeout: sleep } = require("node:timers/promises");
const { version } = require("socket.io/package.json");

// Not middleware-errors: what middleware raises ends the process.
const FEATURES = `acks acks-twice broadcast-acks bulk catch-all close conn-close disconnecting
  dynamic-namespaces error-log event-middleware function-namespaces handshake middleware outgoing
  room-log volatile without`.split(/\s+/);

exports.serveConformance = (io) => {
  const log = [];
  const note = (...entry) => {
    log.push(entry);
    console.log(JSON.stringify(entry));
  };
  io.on("new_namespace", ({ adapter }) => {
    for (const change of ["create", "join", "leave", "delete"]) {
      adapter.on(`${change}-room`, (...args) => note(change, ...args));
    }
  });
  const ifOpen = (name, auth, next) => next(null, auth.open && /^\/conformance-open\//.test(name));
  for (const name of ["/conformance", /^\/conformance\/\w+$/, ifOpen]) {
    io.of(name).use(async (socket, next) => {
      const { join = [], wait = 0, refuse } = socket.handshake.auth;
      socket.join(join);
      await sleep(wait);
      next(refuse && Object.assign(new Error(refuse[0]), { data: refuse[1] }));
    }).on("connection", (socket) => {
      note("connection", socket.id);
      for (const end of ["disconnecting", "disconnect"]) {
        socket.on(end, (reason) => note(end, socket.id, reason, [...socket.rooms]));
      }
      socket.on("error", (error) => note("error", socket.id, error.message));
      obey(socket, log);
    });
  }
};

function obey(socket, log) {
  const seen = { received: [], sent: [] };

  function audience({ whom, to = [], without = [], volatile }) {
    const several = whom === "others" ? socket.broadcast : socket.nsp;
    const found = whom === "me" ? socket : several.to(to).except(without);
    return volatile ? found.volatile : found;
  }

  const orders = {
    info: (names) => ["socket.io", version, names.filter((name) => FEATURES.includes(name))],
    self: () => {
      const { id, connected, recovered, data, handshake, rooms } = socket;
      return { id, connected, recovered, data, handshake, rooms: [...rooms] };
    },
    data: (value) => void (socket.data = value),
    seen: () => seen,
    log: (names) => log.filter((entry) => names.includes(entry[1])),
    late: (pause) => sleep(pause),
    join: (...rooms) => socket.join(rooms),
    leave: (room) => socket.leave(room),
    emit: (whom, ...event) => void audience(whom).emit(...event),
    send: (...args) => void socket.send(...args),
    burst: async (count, pause) => {
      for (let number = 0; number < count; number++) {
        socket.emit("burst", number);
        await sleep(pause);
      }
    },
    ask: (whom, timeout, ...event) => new Promise((resolve) => {
      audience(whom).timeout(timeout).emit(...event, (error, ...answers) => {
        resolve([!error, whom.whom === "me" ? answers : answers[0]]);
      });
    }),
    disconnect: (close) => void socket.disconnect(close),
    close: () => void socket.conn.close(),
    members: async (whom) => (await audience(whom).fetchSockets()).map(({ id }) => id),
    "join-all": (whom, room) => audience(whom).socketsJoin(room),
    "leave-all": (whom, room) => audience(whom).socketsLeave(room),
    "disconnect-all": (whom, close) => audience(whom).disconnectSockets(close),
  };
  for (const [name, order] of Object.entries(orders)) {
    socket.on(`conf:${name}`, async (...args) => {
      const ack = typeof args.at(-1) === "function" ? args.pop() : () => {};
      try {
        ack(await order(...args));
      } catch (error) {
        ack(error.message);
      }
    });
  }
  socket.on("twice", (ack) => ["first", "second"].forEach((word) => ack(word)));
  socket.onAny((...event) => seen.received.push(event.filter((arg) => typeof arg !== "function")));
  socket.onAnyOutgoing((...event) => seen.sent.push(event));
  socket.use((event, next) => {
    if (event[0] === "wrap") event.unshift("conf:send");
    next(event[0] === "refuse" ? new Error("not wanted") : undefined);
  });
}
