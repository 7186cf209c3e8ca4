// The official client with the official MessagePack parser: node msgpack.mjs SCENARIO URL TRANSPORT
//
// SCENARIO is `exchange` or `recovery`, TRANSPORT `polling` or `websocket`. Exit code 0 means that every assertion held. What is
// particular to this encoding is asserted here; scenarios.mjs has the rest of the protocol.

import assert from "node:assert/strict";
import { once } from "node:events";
import { io } from "socket.io-client";
import parser from "socket.io-msgpack-parser";

const [scenario, url, transport] = process.argv.slice(2);
const sockets = [];

async function connected(namespace = "", options = {}) {
  const socket = io(url + namespace, {
    forceNew: true,
    reconnection: false,
    transports: [transport],
    parser,
    ...options,
  });
  sockets.push(socket);
  socket.welcome = once(socket, "welcome");
  await new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
  });
  return socket;
}

const all = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const large = Buffer.alloc(200_000, all);
const date = new Date("2024-05-06T07:08:09.010Z");
const wide = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`key ${i}`, i]));
const VALUES = [
  ["", "plain", "żółć", "漢字", "🙂👩‍👩‍👧", "\u0000", "x".repeat(100_000)],
  [0, 1, -1, 127, 128, -32, -33, 65_536, 2 ** 32, 2 ** 53, -(2 ** 53), -1.5, 1.5e-300],
  [NaN, Infinity, -Infinity],
  [true, false, null, [], {}, [[1], { a: [null] }], wide, Array(70_000).fill(7)],
  [all, Buffer.alloc(0), { deep: [all, { deeper: large }] }],
  [date, new Date(-1), { at: [date] }],
  ["looks like a placeholder", { _placeholder: true, num: 0 }, all],
];

async function exchange() {
  // Without and with what goes along with a CONNECT, binary included.
  const ann = await connected();
  const bob = await connected("/custom", { auth: { user: { name: "bob", key: all } } });
  assert.deepEqual(await ann.welcome, [ann.id, null]);
  assert.deepEqual(await bob.welcome, [bob.id, { name: "bob", key: all }]);

  // There and back, by events and by acknowledgements.
  for (const values of VALUES) {
    const echo = once(ann, "echo");
    ann.emit("echo", ...values);
    assert.deepEqual(await echo, values);
    const answer = await new Promise((resolve) => bob.emit("echo-ack", ...values, (...args) => resolve(args)));
    assert.deepEqual(answer, values);
  }
  // What JavaScript has and others have not.
  const odd = await new Promise((resolve) =>
    ann.emit("echo-ack", undefined, new Uint8Array([1, 2]).buffer, new ArrayBuffer(1), new ArrayBuffer(8), date, (...args) =>
      resolve(args),
    ),
  );
  assert.deepEqual(odd, [null, Buffer.from([1, 2]), Buffer.alloc(1), Buffer.alloc(8), date]);

  // The server asks.
  ann.on("question", (...args) => args.pop()({ answer: args }));
  assert.deepEqual(await ann.emitWithAck("ask-me", "why", all), { answer: ["why", all] });

  // A broadcast to rooms reaches each member once.
  const cid = await connected();
  assert.deepEqual(await ann.emitWithAck("join", "red", "blue"), [ann.id, "red", "blue"]);
  const told = [];
  ann.on("told", (...args) => told.push(args));
  cid.on("told", (...args) => told.push(["cid", ...args]));
  cid.emit("tell-room", ["red", "blue"], "hello", { blob: all });
  await cid.emitWithAck("echo-ack");
  await ann.emitWithAck("echo-ack");
  assert.deepEqual(told, [[cid.id, "hello", { blob: all }]]);

  // Refusals and ends.
  const refused = await connected("", { auth: { token: "wrong" } }).catch((error) => error);
  assert.equal(refused.message, "wrong token");
  assert.deepEqual(refused.data, { retry: false });
  const unknown = await connected("/nowhere").catch((error) => error);
  assert.equal(unknown.message, "Invalid namespace");
  const { id } = ann;
  ann.disconnect();
  const departure = await bob.emitWithAck("departure-of", id);
  assert.deepEqual(departure[0], ["disconnecting", "client namespace disconnect", [id, "red", "blue"]]);
  const kicked = once(bob, "disconnect");
  bob.emit("kick-me", true);
  assert.equal((await kicked)[0], "io server disconnect");
}

// A client that comes back, where the server remembers.
async function recovery() {
  const cid = await connected();
  const back = await connected("", { reconnection: true, reconnectionDelay: 100 });
  await back.emitWithAck("join", "lobby");
  const heard = [];
  back.on("echo", (...args) => heard.push(args[0]));
  back.on("told", (_, ...args) => heard.push(args[0], args[1]));
  back.emit("echo", "before");
  await back.emitWithAck("echo-ack");
  const former = back.id;
  const again = new Promise((resolve) => back.once("disconnect", () => back.once("connect", resolve)));
  back.io.engine.close();
  cid.emit("tell-room", ["lobby"], "missed", all);
  await again;
  assert.equal(back.recovered, true);
  assert.equal(back.id, former);
  assert.deepEqual(heard, ["before", "missed", all]);
}

await { exchange, recovery }[scenario]();
for (const socket of sockets) socket.disconnect();
