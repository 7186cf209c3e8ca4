// The codecs of socket.io and engine.io, driven line by line:
//     {"work": {name: arguments}}                      -> {name: what it is on the wire}
//     {"name": ..., "operation": ..., "times": 1000}   -> nanoseconds
const { Encoder, Decoder } = require("socket.io-parser");
const { decodePacket, decodePayload, encodePacket, encodePayload } = require("engine.io-parser");
const lines = require("node:readline").createInterface({ input: process.stdin });

const bytes = (make) => Buffer.from(Array.from({ length: 1024 }, make));
const BINARY = ["upload", { name: "a.bin", data: bytes((_, i) => i % 256) }, bytes((_, i) => 255 - (i % 256))];
const encoder = new Encoder();
const decoder = new Decoder(); // one for the whole connection, as in the server
let last;
let sink;
decoder.on("decoded", (packet) => { last = packet.data; });

const parts = (args) => encoder.encode({ type: 2, nsp: "/", data: args });

function encodeEvent(args) {
  const frames = [];
  for (const data of parts(args)) encodePacket({ type: "message", data }, true, (frame) => frames.push(frame));
  return frames;
}

function decodeEvent(frames) {
  for (const frame of frames) decoder.add(decodePacket(frame, "nodebuffer").data);
  return last;
}

function encodeAll(events) {
  let payload;
  const packets = events.map((args) => ({ type: "message", data: parts(args)[0] }));
  encodePayload(packets, (encoded) => { payload = encoded; });
  return payload;
}

function decodeAll(payload) {
  return decodePayload(payload, "nodebuffer").map((packet) => { decoder.add(packet.data); return last; });
}

const operations = {};

function prepare(work) {
  for (const [name, value] of Object.entries({ ...work, "two attachments": BINARY })) {
    const several = name === "payload of 16";
    const encode = several ? () => encodeAll(value) : () => encodeEvent(value);
    const wire = encode();
    operations[name] = { encode, decode: several ? () => decodeAll(wire) : () => decodeEvent(wire), wire };
  }
}

const shown = (wire) => Array.isArray(wire) ? wire.map((x) => typeof x === "string" ? x : { hex: x.toString("hex") }) : wire;

function measure({ name, operation, times }) {
  const run = operations[name][operation];
  const began = process.hrtime.bigint();
  for (let i = 0; i < times; i++) sink = run();
  return Number(process.hrtime.bigint() - began);
}

lines.on("line", (line) => {
  const asked = JSON.parse(line);
  if (asked.work) prepare(asked.work);
  const answer = asked.work
    ? Object.fromEntries(Object.entries(operations).map(([name, { wire }]) => [name, shown(wire)]))
    : measure(asked);
  console.log(JSON.stringify(answer));
});
