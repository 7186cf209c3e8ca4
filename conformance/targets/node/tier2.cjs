// The second tier of the contract on the reference implementation.
"use strict";

const { setTimeout: sleep } = require("node:timers/promises");

const VERSION = require("socket.io/package.json").version;
const FEATURES = `acks broadcast-acks bulk catch-all close disconnecting dynamic-namespaces
  event-middleware handshake middleware room-log volatile without`.split(/\s+/);

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
  for (const name of ["/conformance", /^\/conformance\/\w+$/]) {
    const namespace = io.of(name);
    namespace.use(async (socket, next) => {
      const { join = [], wait = 0, refuse, data } = socket.handshake.auth;
      socket.join(join);
      await sleep(wait);
      next(refuse === undefined ? undefined : Object.assign(new Error(refuse), { data }));
    });
    namespace.on("connection", (socket) => {
      note("connection", socket.id);
      for (const end of ["disconnecting", "disconnect"]) {
        socket.on(end, (reason) => note(end, socket.id, reason, [...socket.rooms]));
      }
      socket.on("conf:log", (names, ack) => ack(log.filter((entry) => names.includes(entry[1]))));
      obey(socket);
    });
  }
};

function obey(socket) {
  const received = [];

  function audience({ whom, to = [], without = [], volatile }) {
    let found = socket;
    if (whom !== "me") {
      found = (whom === "others" ? socket.broadcast : socket.nsp).to(to).except(without);
    }
    return volatile ? found.volatile : found;
  }

  const commands = {
    info: (names, ack) => {
      ack(["socket.io", VERSION, names.filter((name) => FEATURES.includes(name))]);
    },
    self: (ack) => {
      const { id, connected, recovered, data, handshake, rooms } = socket;
      ack({ id, connected, recovered, data, handshake, rooms: [...rooms] });
    },
    data: (value, ack) => ack(void (socket.data = value)),
    received: (ack) => ack(received),
    join: (...rooms) => rooms.pop()(void socket.join(rooms)),
    leave: (room, ack) => ack(void socket.leave(room)),
    emit: (order, ...event) => {
      const ack = event.pop();
      try {
        ack(void audience(order).emit(...event));
      } catch (error) {
        ack(error.message);
      }
    },
    send: (...args) => args.pop()(void socket.send(...args)),
    members: async (order, ack) => ack((await audience(order).fetchSockets()).map(({ id }) => id)),
    "join-all": (order, room, ack) => ack(void audience(order).socketsJoin(room)),
    "leave-all": (order, room, ack) => ack(void audience(order).socketsLeave(room)),
    "disconnect-all": (order, close, ack) => ack(void audience(order).disconnectSockets(close)),
    disconnect: (close) => socket.disconnect(close),
    ask: (order, timeout, ...event) => {
      const ack = event.pop();
      audience(order).timeout(timeout).emit(...event, (error, ...answers) => {
        ack([!error, order.whom === "me" ? answers : answers[0]]);
      });
    },
    burst: async (count, pause, ack) => {
      for (let number = 0; number < count; number++) {
        socket.emit("burst", number);
        await sleep(pause);
      }
      ack();
    },
    late: async (pause, ack) => ack(await sleep(pause)),
  };
  for (const name in commands) socket.on(`conf:${name}`, commands[name]);
  socket.on("wrapped", (...args) => args.pop()(...args));
  socket.onAny((...event) => received.push(event.filter((arg) => typeof arg !== "function")));
  socket.use((event, next) => {
    if (event[0] === "wrap") event.unshift("wrapped");
    next(event[0] === "refuse" ? new Error("refused") : undefined);
  });
}
