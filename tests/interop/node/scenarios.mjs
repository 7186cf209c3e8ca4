// Scenarios for the official client: node scenarios.mjs SCENARIO URL TRANSPORTS
//
// TRANSPORTS is `default` (polling, then an upgrade), `polling` or `websocket`. Exit code 0 means
// that every assertion held. Scenarios that need the server to go away print a line when they are
// ready for it; everything else that is printed is the error.

import assert from "node:assert/strict";
import { once } from "node:events";
import { io, Manager, NodeWebSocket, NodeXHR } from "socket.io-client";

const [scenarioName, url, transportsName] = process.argv.slice(2);

const OPTIONS = {
  default: {},
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
};
const FINAL_TRANSPORT = { default: "websocket", polling: "polling", websocket: "websocket" };

const UNICODE = ["", "plain", "żółć", "漢字", "🙂👩‍👩‍👧", "\u001e", "\u2028\u2029", "\u0000", '"\\/\b'];

const sockets = [];
const reports = []; // functions: what is worth telling if the scenario hangs, or null

/** A socket on a connection of its own, not yet connected. */
function newSocket(options = {}, namespace = "") {
  const socket = io(url + namespace, {
    forceNew: true,
    reconnection: false,
    ...OPTIONS[transportsName],
    ...options,
  });
  sockets.push(socket);
  return socket;
}

async function connected(options, namespace) {
  const socket = newSocket(options, namespace);
  await connection(socket);
  return socket;
}

function connection(socket) {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
}

/** The arguments with which an event arrives next. */
function next(emitter, name) {
  return new Promise((resolve) => emitter.once(name, (...args) => resolve(args)));
}

/** Resolves when the connection uses the transport it will end on. */
async function settled(socket) {
  const engine = socket.io.engine;
  if (engine.transport.name !== FINAL_TRANSPORT[transportsName]) await next(engine, "upgrade");
  assert.equal(engine.transport.name, FINAL_TRANSPORT[transportsName]);
}

/** A round trip: what the server sent before has arrived when this resolves. */
async function sync(...all) {
  for (const socket of all) await socket.emitWithAck("echo-ack", "sync");
}

const scenarios = {
  async transports() {
    const socket = newSocket();
    const used = [];
    socket.io.on("open", () => {
      used.push(socket.io.engine.transport.name);
      socket.io.engine.on("upgrade", (transport) => used.push(transport.name));
    });
    await connection(socket);
    await settled(socket);
    await sync(socket);
    const expected = { default: ["polling", "websocket"] }[transportsName] ?? [transportsName];
    assert.deepEqual(used, expected);
  },

  async connect() {
    const socket = newSocket({ auth: { user: "żółć" } });
    const welcome = next(socket, "welcome");
    await connection(socket);
    assert.deepEqual(await welcome, [socket.id, "żółć"]);
    assert.notEqual(socket.id, socket.io.engine.id);
    const refused = newSocket({ auth: { token: "wrong" } });
    const error = await connection(refused).catch((error) => error);
    assert.equal(error?.message, "wrong token");
    assert.deepEqual(error.data, { retry: false });
    const unknown = await connection(newSocket({}, "/nowhere")).catch((error) => error);
    assert.equal(unknown?.message, "Invalid namespace");
    await sync(socket);
  },

  async text() {
    const socket = await connected();
    const values = [...UNICODE, "x".repeat(100_000), 0, -1.5, 1e21, true, null, [], {}, [[1], { a: [null] }]];
    for (const phase of ["first", "settled"]) {
      const echoes = [];
      socket.on("echo", (...args) => echoes.push(args));
      for (const value of values) socket.emit("echo", value, phase);
      socket.emit("echo");
      await sync(socket);
      assert.deepEqual(echoes, [...values.map((value) => [value, phase]), []]);
      socket.off("echo");
      await settled(socket);
    }
  },

  async binary() {
    const socket = await connected();
    const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const large = Buffer.alloc(200_000, all);
    const values = [
      [all],
      [Buffer.alloc(0)],
      ["text", { deep: [all, { deeper: large }] }, all],
      [{ _placeholder: false, num: 7 }, all],
    ];
    for (let phase = 0; phase < 2; phase++) {
      const echoes = [];
      socket.on("echo", (...args) => echoes.push(args));
      for (const value of values) socket.emit("echo", ...value);
      await sync(socket);
      assert.deepEqual(echoes, values);
      socket.off("echo");
      assert.deepEqual(await socket.emitWithAck("echo-ack", all), all);
      await settled(socket);
    }
  },

  async acknowledgements() {
    const socket = await connected();
    const several = await new Promise((resolve) =>
      socket.emit("echo-ack", 1, "two", [3], (...args) => resolve(args)),
    );
    assert.deepEqual(several, [1, "two", [3]]);
    const none = await new Promise((resolve) => socket.emit("echo-ack", (...args) => resolve(args)));
    assert.deepEqual(none, []);
    assert.equal(await socket.timeout(5000).emitWithAck("echo-ack", "🙂"), "🙂");

    socket.on("question", (...args) => args.pop()({ answer: args }));
    const blob = Buffer.from([0, 1, 254, 255]);
    for (let phase = 0; phase < 2; phase++) {
      assert.deepEqual(await socket.emitWithAck("ask-me", "why", 1), { answer: ["why", 1] });
      assert.deepEqual(await socket.emitWithAck("ask-me", blob), { answer: [blob] });
      await settled(socket);
    }
  },

  async namespaces() {
    const manager = new Manager(url, { reconnection: false, ...OPTIONS[transportsName] });
    const main = manager.socket("/", { auth: { user: "main" } });
    const custom = manager.socket("/custom", { auth: { user: "custom" } });
    sockets.push(main, custom);
    const welcomes = Promise.all([next(main, "welcome"), next(custom, "welcome")]);
    await Promise.all([connection(main), connection(custom)]);
    assert.deepEqual(await welcomes, [
      [main.id, "main"],
      [custom.id, "custom"],
    ]);
    assert.notEqual(main.id, custom.id);

    const heard = [];
    main.on("echo", (...args) => heard.push(["/", ...args]));
    custom.on("echo", (...args) => heard.push(["/custom", ...args]));
    for (let i = 0; i < 10; i++) (i % 2 ? main : custom).emit("echo", i, Buffer.from([i]));
    await sync(main, custom);
    const expected = Array.from({ length: 10 }, (_, i) => [i % 2 ? "/" : "/custom", i, Buffer.from([i])]);
    for (const name of ["/", "/custom"]) {
      const of = (all) => all.filter(([namespace]) => namespace === name);
      assert.deepEqual(of(heard), of(expected));
    }

    // One leaves, the other stays, over the same connection, and the first may come back.
    const former = main.id;
    main.disconnect();
    assert.deepEqual(await custom.emitWithAck("departure-of", former), [
      ["disconnecting", "client namespace disconnect", [former]],
      ["disconnect", "client namespace disconnect", []],
    ]);
    const engine = manager.engine.id;
    main.connect();
    await connection(main);
    assert.notEqual(main.id, former);
    assert.equal(manager.engine.id, engine);
    await sync(main, custom);
  },

  async rooms() {
    const [a, b, c] = await Promise.all([connected(), connected(), connected()]);
    const heard = new Map([a, b, c].map((socket) => [socket, []]));
    for (const [socket, list] of heard) socket.on("told", (...args) => list.push(args));
    // The speaker asks first: only then has the server handled what it said.
    const take = async (speaker) => {
      await sync(speaker, a, b, c);
      return [a, b, c].map((socket) => heard.get(socket).splice(0));
    };
    assert.deepEqual(await a.emitWithAck("join", "red", "blue"), [a.id, "red", "blue"]);
    assert.deepEqual(await b.emitWithAck("join", "red"), [b.id, "red"]);
    assert.deepEqual(await c.emitWithAck("join", "blue"), [c.id, "blue"]);

    a.emit("tell-room", ["red"], 1);
    assert.deepEqual(await take(a), [[], [[a.id, 1]], []]);
    const blob = Buffer.from([1, 2, 3]);
    b.emit("tell-room", ["red", "blue"], blob); // a is in both rooms and hears it once
    assert.deepEqual(await take(b), [[[b.id, blob]], [], [[b.id, blob]]]);
    a.emit("tell-room", [c.id], "private");
    assert.deepEqual(await take(a), [[], [], [[a.id, "private"]]]);
    a.emit("tell-everybody-but", "red", 2);
    assert.deepEqual(await take(a), [[], [], [[a.id, 2]]]);
    assert.deepEqual(await b.emitWithAck("leave", "red"), [b.id]);
    a.emit("tell-room", ["red"], 3);
    assert.deepEqual(await take(a), [[], [], []]);
    a.emit("tell-room", ["nobody-is-here"], 4);
    assert.deepEqual(await take(a), [[], [], []]);
  },

  async heartbeats() {
    const socket = await connected();
    await settled(socket);
    const { id } = socket;
    let lost = null;
    socket.on("disconnect", (reason) => (lost = reason));
    for (let beat = 0; beat < 3; beat++) {
      await once(socket.io, "ping");
      assert.equal(lost, null);
    }
    await sync(socket);
    assert.equal(socket.id, id);
  },

  async recovery() {
    const socket = newSocket({ reconnection: true, reconnectionDelay: 200 });
    await connection(socket);
    await settled(socket);
    await socket.emitWithAck("join", "lobby");
    const received = [];
    socket.on("told", (...args) => received.push(args));
    socket.on("echo", (...args) => received.push(args));
    const speaker = await connected();
    socket.emit("echo", "before");
    await sync(socket);
    const { id } = socket;
    const cut = next(socket, "disconnect");
    socket.io.engine.close();
    await cut;
    for (const number of [1, 2, 3]) speaker.emit("tell-room", ["lobby"], number, Buffer.from([number]));
    speaker.emit("tell-room", ["elsewhere"], "not for us");
    speaker.emit("tell-everybody-but", "lobby", "not for us either");
    await sync(speaker);
    assert.equal(socket.connected, false);
    await connection(socket);
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
    speaker.emit("tell-room", ["lobby"], 4, Buffer.from([4]));
    await sync(speaker, socket);
    const told = received.map((args) => args.filter((arg) => arg !== speaker.id).slice(0, 2));
    assert.deepEqual(told, [
      ["before", told[0][1]],
      ...[1, 2, 3, 4].map((number) => [number, Buffer.from([number])]),
    ]);
    assert.deepEqual(await socket.emitWithAck("join"), [id, "lobby"]);
  },

  async departures() {
    const witness = await connected();
    const departure = async (leave) => {
      const socket = await connected();
      await settled(socket);
      const { id } = socket;
      await socket.emitWithAck("join", "room");
      const reason = next(socket, "disconnect");
      leave(socket);
      const told = await witness.emitWithAck("departure-of", id);
      const [clientReason] = await reason;
      assert.equal(socket.connected, false);
      const reasons = told.map(([name, reason]) => [name, reason]);
      const rooms = told.map(([, , rooms]) => rooms);
      assert.deepEqual(rooms, [[id, "room"], []]);
      assert.deepEqual(reasons, [
        ["disconnecting", reasons[0][1]],
        ["disconnect", reasons[0][1]],
      ]);
      return [clientReason, reasons[0][1]];
    };
    assert.deepEqual(await departure((socket) => socket.disconnect()), [
      "io client disconnect",
      "client namespace disconnect",
    ]);
    for (const close of [false, true]) {
      const heard = [];
      const kicked = await departure((socket) => {
        socket.on("bye", () => heard.push("bye"));
        socket.emit("kick-me", close);
      });
      assert.deepEqual(kicked, ["io server disconnect", "server namespace disconnect"]);
      assert.deepEqual(heard, ["bye"]); // what was sent before the end still arrives
    }
    assert.deepEqual(await departure((socket) => socket.io.engine.close()), [
      "forced close",
      "transport close",
    ]);
  },

  // The server goes away and comes back on the same port.
  async reconnection() {
    const socket = await connected({
      reconnection: true,
      reconnectionDelay: 20,
      reconnectionDelayMax: 100,
    });
    await settled(socket);
    const former = socket.id;
    const echoes = [];
    socket.on("echo", (...args) => echoes.push(args));
    const gone = next(socket, "disconnect");
    console.log("connected");
    const [reason] = await gone;
    assert.ok(["transport close", "transport error"].includes(reason), reason);
    socket.emit("echo", "while away");
    console.log(reason);
    await new Promise((resolve) => socket.once("connect", resolve));
    assert.notEqual(socket.id, former);
    assert.ok(!socket.recovered);
    await sync(socket);
    assert.deepEqual(echoes, [["while away"]]);
    await settled(socket);
    await sync(socket);
  },

  // Many clients at once, each busy while its connection changes transports.
  async upgrades() {
    const CLIENTS = 200;
    const EVENTS = 50;
    const ordered = Array.from({ length: EVENTS }, (_, i) => i);
    const client = async () => {
      // The candidate transport waits for the namespace, or the upgrade might be over by then.
      let openCandidate;
      const gate = new Promise((resolve) => (openCandidate = resolve));
      class LateWebSocket extends NodeWebSocket {
        doOpen() {
          gate.then(() => super.doOpen());
        }
      }
      const socket = newSocket({ transports: [NodeXHR, LateWebSocket] });
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
      reports.push(() => {
        const complete = acknowledged.length === EVENTS && numbered.length === EVENTS;
        return complete ? null : { count, acknowledged, numbered };
      });
      const { engine } = socket.io;
      engine.once("upgrading", () => emit(35)); // the probe was answered, polling pauses
      engine.once("upgrade", () => emit(EVENTS)); // the new transport is in use
      assert.equal(engine.transport.name, "polling");
      openCandidate();
      emit(20);
      await finished;
      assert.equal(engine.transport.name, "websocket");
      assert.deepEqual(await socket.emitWithAck("numbers"), ordered);
      assert.deepEqual(acknowledged, ordered);
      assert.deepEqual(numbered, ordered);
      return socket.id;
    };
    const ids = await Promise.all(Array.from({ length: CLIENTS }, client));
    assert.equal(new Set(ids).size, CLIENTS);
  },
};

// A scenario that hangs is a failure, and says what it waited for.
const guard = setTimeout(() => {
  console.error(`scenario ${scenarioName} did not end in time`);
  for (const socket of sockets.slice(0, 5)) {
    const { engine } = socket.io;
    console.error(socket.nsp, socket.connected, engine?.readyState, engine?.transport?.name);
  }
  const told = reports.map((report) => report()).filter((report) => report !== null);
  if (told.length) console.error(`${told.length} of ${reports.length} are unfinished, e.g.`, told[0]);
  process.exit(1);
}, 30_000);

const scenario = scenarios[scenarioName];
assert.ok(scenario, `no scenario is called ${scenarioName}`);
assert.ok(OPTIONS[transportsName], `no transports are called ${transportsName}`);
await scenario();
for (const socket of sockets) socket.disconnect();
clearTimeout(guard);
