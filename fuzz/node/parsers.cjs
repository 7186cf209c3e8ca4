// The official parsers as a filter: one line of JSON in, one out.
//
// In: {"format": ..., "input": ...} as in the test vectors.
// Out: for each parser of that format, {"value": ...} or {"error": ..., "value": ...}: what it read,
// or why it did not, and what it had read before.
"use strict";

const readline = require("node:readline");
const engine4 = require("engine.io-parser");
const engine3 = require("engine.io-parser-3");
const SOCKET_PARSERS = {
  "socket.io-parser 4.2": require("socket.io-parser"),
  "socket.io-parser 3.4": require("socket.io-parser-3.4"),
  "socket.io-parser 3.3": require("socket.io-parser-3.3"),
};
const TYPES = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
const MAX_PAYLOAD = 1000;
const MAX_ATTACHMENTS = 10;

const message = (told) => told.text ?? Buffer.from(told.hex, "hex");
const isBinary = (value) => Buffer.isBuffer(value) || ArrayBuffer.isView(value);

// Without recursion into what is too deep to be written down again.
function toJson(value) {
  if (isBinary(value)) return { $hex: Buffer.from(value).toString("hex") };
  if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
  if (Array.isArray(value)) return value.map((item) => toJson(item === undefined ? null : item));
  if (value !== null && typeof value === "object") {
    return { $object: Object.keys(value).map((key) => [key, toJson(value[key])]) };
  }
  return value;
}

function enginePacket({ type, data }) {
  const told = isBinary(data) ? { hex: Buffer.from(data).toString("hex") } : { text: data ?? "" };
  return { type: TYPES.indexOf(type), data: told };
}

function enginePackets(packets) {
  const value = [];
  for (const packet of packets) {
    if (packet.type === "error") return { error: String(packet.data), value };
    if (packet.type !== undefined) value.push(enginePacket(packet)); // else it is ignored
  }
  return { value };
}

function onePacket(packet) {
  const { error, value } = enginePackets([packet]);
  return error === undefined ? { value: value[0] ?? null } : { error };
}

function payload3(body) {
  const packets = [];
  engine3.decodePayload(body, (packet) => {
    packets.push(packet);
    return packet.type !== "error";
  });
  return enginePackets(packets);
}

async function webTransport(bytes) {
  const stream = engine4.createPacketDecoderStream(MAX_PAYLOAD, "nodebuffer");
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  writer.write(bytes).catch(() => {});
  writer.close().catch(() => {});
  const value = [];
  for (;;) {
    let step;
    try {
      step = await reader.read();
    } catch (error) {
      return { error: String(error.message), value };
    }
    if (step.done) return { value };
    if (step.value.type === "error") return { error: String(step.value.data), value };
    value.push(enginePacket(step.value));
  }
}

function socketMessages(parser, messages) {
  const decoder = new parser.Decoder({ maxAttachments: MAX_ATTACHMENTS });
  const value = [];
  let decoded = [];
  decoder.on("decoded", (packet) => decoded.push(packet));
  for (const one of messages) {
    decoded = [];
    try {
      decoder.add(one);
    } catch (error) {
      return { error: String(error.message), value };
    }
    const [packet] = decoded;
    if (packet === undefined) {
      value.push(null);
      continue;
    }
    const { type, nsp, id, data } = packet;
    // The older lines report an error as a packet.
    if (type === 4 && typeof data === "string" && data.startsWith("parser error")) {
      return { error: data, value };
    }
    const told = { type: type > 4 ? type - 3 : type, namespace: nsp };
    if (id !== undefined) told.id = toJson(id);
    if (data !== undefined) told.data = toJson(data);
    value.push(told);
  }
  return { value };
}

function guarded(call) {
  try {
    return call();
  } catch (error) {
    return { error: String(error.message) };
  }
}

const PARSERS = {
  "engineio-packet-4": ({ input }) => ({
    "engine.io-parser 5": guarded(() => onePacket(engine4.decodePacket(message(input), "nodebuffer"))),
  }),
  "engineio-packet-3": ({ input }) => ({
    "engine.io-parser 2": guarded(() => onePacket(engine3.decodePacket(message(input), "nodebuffer"))),
  }),
  "engineio-payload-4": ({ input }) => ({
    "engine.io-parser 5": guarded(() =>
      enginePackets(engine4.decodePayload(message(input).toString("utf8"), "nodebuffer")),
    ),
  }),
  "engineio-payload-3": ({ input }) => ({
    "engine.io-parser 2": guarded(() => payload3(message(input).toString("utf8"))),
  }),
  "engineio-binary-payload-3": ({ input }) => ({
    "engine.io-parser 2": guarded(() => payload3(message(input))),
  }),
  "engineio-webtransport": async ({ input }) => ({
    "engine.io-parser 5": await webTransport(message(input)),
  }),
  "socketio-messages": ({ input }) => {
    const answers = {};
    for (const [name, parser] of Object.entries(SOCKET_PARSERS)) {
      answers[name] = socketMessages(parser, input.map(message));
    }
    return answers;
  },
};

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin, crlfDelay: Infinity })) {
    const question = JSON.parse(line);
    process.stdout.write(`${JSON.stringify(await PARSERS[question.format](question))}\n`);
  }
}

main();
