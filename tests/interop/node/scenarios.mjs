// The scenarios of ../scenarios.toml for the official clients, in Node and in a browser.
//
// What differs between their major versions is hidden in peer.mjs, or asked by `socket.revision`:
// the revision of the Socket.IO protocol, 4 for clients of major version 2, otherwise 5.

import {
  ask,
  askAll,
  blob,
  connection,
  ensure,
  equal,
  heartbeat,
  next,
  recovers,
  refusal,
  sync,
} from "./peer.mjs";

const UNICODE = ["", "plain", "żółć", "漢字", "🙂👩‍👩‍👧", "\u001e", "\u2028\u2029", "\u0000", '"\\/\b'];

export const scenarios = {
  async transports(peer) {
    const socket = peer.newSocket();
    const used = [];
    socket.io.on("open", () => {
      used.push(socket.io.engine.transport.name);
      socket.io.engine.on("upgrade", (transport) => used.push(transport.name));
    });
    await connection(socket);
    await peer.settled(socket);
    await sync(socket);
    const expected = { default: ["polling", "websocket"] }[peer.transports] ?? [peer.transports];
    equal(used, expected);
  },

  async connect(peer) {
    const socket = peer.newSocket({ auth: { user: "żółć" } });
    const welcome = next(socket, "welcome");
    await connection(socket);
    equal(await welcome, [socket.id, "żółć"]);
    equal(socket.id === socket.io.engine.id, socket.revision === 4);
    await sync(socket);
  },

  async refusals(peer) {
    // Revision 4 has room for one value: the data if there are any, otherwise the message.
    const data = { retry: false };
    const wrong = peer.newSocket({ auth: { token: "wrong" } });
    equal(await refusal(wrong), wrong.revision === 4 ? data : { message: "wrong token", data });
    const old = peer.newSocket({ auth: { token: "old" } });
    equal(await refusal(old), old.revision === 4 ? "old token" : { message: "old token", data: undefined });
    const lost = peer.newSocket({}, "/nowhere");
    const reason = await refusal(lost);
    // The reference tells an object here in revision 4, and one value otherwise: SIO-V4-05b.
    equal(typeof reason === "string" ? reason : reason.message, "Invalid namespace");
    // Nobody else is harmed.
    await sync(await peer.connected());
  },

  async text(peer) {
    const socket = await peer.connected();
    const values = [...UNICODE, "x".repeat(100_000), 0, -1.5, 1e21, true, null, [], {}, [[1], { a: [null] }]];
    for (const phase of ["first", "settled"]) {
      const echoes = [];
      socket.on("echo", (...args) => echoes.push(args));
      for (const value of values) socket.emit("echo", value, phase);
      socket.emit("echo");
      await sync(socket);
      equal(echoes, [...values.map((value) => [value, phase]), []]);
      socket.off("echo");
      await peer.settled(socket);
    }
  },

  async binary(peer) {
    const socket = await peer.connected();
    const all = blob(Array.from({ length: 256 }, (_, byte) => byte));
    const large = blob(Array.from({ length: 200_000 }, (_, index) => index % 251));
    const values = [
      [all],
      [blob([])],
      ["text", { deep: [all, { deeper: large }] }, all],
      [{ _placeholder: false, num: 7 }, all],
    ];
    for (let phase = 0; phase < 2; phase++) {
      const echoes = [];
      socket.on("echo", (...args) => echoes.push(args));
      for (const value of values) socket.emit("echo", ...value);
      await sync(socket);
      equal(echoes, values);
      socket.off("echo");
      equal(await askAll(socket, "echo-ack", all, { deep: large }), [all, { deep: large }]);
      await peer.settled(socket);
    }
  },

  async acknowledgements(peer) {
    const socket = await peer.connected();
    equal(await askAll(socket, "echo-ack", 1, "two", [3]), [1, "two", [3]]);
    equal(await askAll(socket, "echo-ack"), []);
    if (socket.major >= 4) {
      equal(await socket.timeout(5000).emitWithAck("echo-ack", "🙂"), "🙂");
    }
    socket.on("question", (...args) => args.pop()({ answer: args }));
    const bytes = blob([0, 1, 254, 255]);
    for (let phase = 0; phase < 2; phase++) {
      equal(await ask(socket, "ask-me", "why", 1), { answer: ["why", 1] });
      equal(await ask(socket, "ask-me", bytes), { answer: [bytes] });
      await peer.settled(socket);
    }
  },

  async namespaces(peer) {
    const [main, custom] = peer.newPair({ user: "main" }, "/custom", { user: "custom" });
    const welcomes = Promise.all([next(main, "welcome"), next(custom, "welcome")]);
    await Promise.all([connection(main), connection(custom)]);
    equal(await welcomes, [
      [main.id, "main"],
      [custom.id, "custom"],
    ]);
    ensure(main.id !== custom.id, "both sockets have one id");
    equal(custom.id === `/custom#${main.io.engine.id}`, custom.revision === 4);

    const heard = { "/": [], "/custom": [] };
    for (const socket of [main, custom]) socket.on("echo", (...args) => heard[socket.nsp].push(args));
    for (let i = 0; i < 10; i++) (i % 2 ? main : custom).emit("echo", i, blob([i]));
    await sync(main, custom);
    const expected = (numbers) => numbers.map((number) => [number, blob([number])]);
    equal(heard, { "/": expected([1, 3, 5, 7, 9]), "/custom": expected([0, 2, 4, 6, 8]) });

    // One leaves, the other stays, over the same connection, and the first may come back.
    const former = custom.id;
    custom.disconnect();
    equal(await ask(main, "departure-of", former), [
      ["disconnecting", "client namespace disconnect", [former]],
      ["disconnect", "client namespace disconnect", []],
    ]);
    const engine = main.io.engine.id;
    custom.connect();
    await connection(custom);
    equal(custom.id === former, custom.revision === 4);
    equal(main.io.engine.id, engine);
    await sync(main, custom);
  },

  async rooms(peer) {
    const all = [await peer.connected(), await peer.connected(), await peer.connected()];
    const [a, b, c] = all;
    const heard = new Map(all.map((socket) => [socket, []]));
    for (const [socket, list] of heard) socket.on("told", (...args) => list.push(args));
    // The speaker asks first: only then has the server handled what it said.
    const take = async (speaker) => {
      await sync(speaker, a, b, c);
      return all.map((socket) => heard.get(socket).splice(0));
    };
    equal(await ask(a, "join", "red", "blue"), [a.id, "red", "blue"]);
    equal(await ask(b, "join", "red"), [b.id, "red"]);
    equal(await ask(c, "join", "blue"), [c.id, "blue"]);

    a.emit("tell-room", ["red"], 1);
    equal(await take(a), [[], [[a.id, 1]], []]);
    const bytes = blob([1, 2, 3]);
    b.emit("tell-room", ["red", "blue"], bytes, "🙂"); // a is in both rooms and hears it once
    equal(await take(b), [[[b.id, bytes, "🙂"]], [], [[b.id, bytes, "🙂"]]]);
    a.emit("tell-room", [c.id], "private");
    equal(await take(a), [[], [], [[a.id, "private"]]]);
    a.emit("tell-everybody-but", "red", 2);
    equal(await take(a), [[], [], [[a.id, 2]]]);
    equal(await ask(b, "leave", "red"), [b.id]);
    a.emit("tell-room", ["red"], 3);
    equal(await take(a), [[], [], []]);
    a.emit("tell-room", ["nobody-is-here"], 4);
    equal(await take(a), [[], [], []]);
  },

  async departures(peer) {
    const witness = await peer.connected();
    const departure = async (leave) => {
      const socket = await peer.connected();
      await peer.settled(socket);
      const { id } = socket;
      await ask(socket, "join", "room");
      const reason = next(socket, "disconnect");
      leave(socket);
      const told = await ask(witness, "departure-of", id);
      const [clientReason] = await reason;
      equal(socket.connected, false);
      const [[, serverReason]] = told;
      equal(told, [
        ["disconnecting", serverReason, [id, "room"]],
        ["disconnect", serverReason, []],
      ]);
      return [clientReason, serverReason];
    };
    equal(await departure((socket) => socket.disconnect()), [
      "io client disconnect",
      "client namespace disconnect",
    ]);
    for (const close of [false, true]) {
      const heard = [];
      const kicked = await departure((socket) => {
        socket.on("bye", () => heard.push("bye"));
        socket.emit("kick-me", close);
      });
      equal(kicked, ["io server disconnect", "server namespace disconnect"]);
      equal(heard, ["bye"]); // what was sent before the end still arrives
    }
    equal(await departure((socket) => socket.io.engine.close()), ["forced close", "transport close"]);
  },

  async heartbeats(peer) {
    const socket = await peer.connected();
    await peer.settled(socket);
    const { id } = socket;
    let lost = null;
    socket.on("disconnect", (reason) => (lost = reason));
    for (let beat = 0; beat < 3; beat++) {
      await heartbeat(socket);
      equal(lost, null);
    }
    await sync(socket);
    equal(socket.id, id);
  },

  async recovery(peer) {
    const socket = peer.newSocket({ reconnection: true, reconnectionDelay: 200 });
    await connection(socket);
    await peer.settled(socket);
    await ask(socket, "join", "lobby");
    const received = [];
    socket.on("told", (...args) => received.push(args.slice(1, 3))); // the last is the offset
    const speaker = await peer.connected();
    const tell = (room, number) => speaker.emit("tell-room", [room], number, blob([number]));
    tell("lobby", 0);
    await sync(speaker, socket);
    const { id } = socket;
    const cut = next(socket, "disconnect");
    socket.io.engine.close();
    await cut;
    for (const number of [1, 2, 3]) tell("lobby", number);
    tell("elsewhere", 8);
    speaker.emit("tell-everybody-but", "lobby", 9);
    await sync(speaker);
    equal(socket.connected, false);
    await connection(socket);
    equal(socket.recovered ?? false, recovers(socket));
    equal(socket.id === id, recovers(socket));
    tell("lobby", 4);
    await sync(speaker, socket);
    const expected = recovers(socket) ? [0, 1, 2, 3, 4] : [0];
    equal(received, expected.map((number) => [number, blob([number])]));
    equal(await ask(socket, "join"), recovers(socket) ? [id, "lobby"] : [socket.id]);
  },

  reconnection: returnToServer,

  restart: returnToServer,

  // Many clients at once, each busy while its connection changes transports.
  async upgrades(peer) {
    const CLIENTS = 200;
    const EVENTS = 50;
    const ordered = Array.from({ length: EVENTS }, (_, i) => i);
    const client = async () => {
      // The candidate transport waits for the namespace, or the upgrade might be over by then.
      const socket = peer.newSocket();
      const openCandidate = peer.holdCandidate(socket);
      await connection(socket);
      const acknowledged = [];
      const numbered = [];
      let count = 0;
      let done;
      const finished = new Promise((resolve) => (done = resolve));
      socket.on("numbered", (value) => numbered.push(value));
      const emit = (upTo) => {
        while (count < upTo) {
          socket.emit("number", count++, (value) => {
            acknowledged.push(value);
            if (acknowledged.length === EVENTS) done();
          });
        }
      };
      peer.reports.push(() => {
        const complete = acknowledged.length === EVENTS && numbered.length === EVENTS;
        return complete ? null : { count, acknowledged, numbered };
      });
      const { engine } = socket.io;
      engine.once("upgrading", () => emit(35)); // the probe was answered, polling pauses
      engine.once("upgrade", () => emit(EVENTS)); // the new transport is in use
      equal(engine.transport.name, "polling");
      openCandidate();
      emit(20);
      await finished;
      equal(engine.transport.name, "websocket");
      equal(await ask(socket, "numbers"), ordered);
      equal(acknowledged, ordered);
      equal(numbered, ordered);
      return socket.id;
    };
    const ids = await Promise.all(Array.from({ length: CLIENTS }, client));
    equal(new Set(ids).size, CLIENTS);
  },
};

/** The server goes away, and comes back on the same port. */
async function returnToServer(peer) {
  const socket = await peer.connected({
    reconnection: true,
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
  });
  await peer.settled(socket);
  const former = socket.id;
  const echoes = [];
  socket.on("echo", (...args) => echoes.push(args));
  const gone = next(socket, "disconnect");
  peer.say("connected");
  const [reason] = await gone;
  socket.emit("echo", "while away");
  peer.say(reason);
  await next(socket, "connect");
  ensure(socket.id !== former, "the server knows a former id");
  ensure(!socket.recovered, "the server remembers what it was before it came back");
  await sync(socket);
  equal(echoes, [["while away"]]);
  await peer.settled(socket);
  await sync(socket);
}
