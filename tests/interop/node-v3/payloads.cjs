// The official parser of Engine.IO 3 as a filter: one line of JSON in, one out.
//
// In: {"packets": [...], "bodies": [...]}: packets to encode, and payloads to decode.
// Out: {"text": ..., "any": ..., "decoded": [[...], ...]}: the packets in a payload of text and in
// the one for a client that takes binary, and the packets of each payload, or null if it is none.
//
// A packet is [type, text] or [type, {"binary": base64}]. A payload is {"text": ...} or the same
// object with binary.
"use strict";

const readline = require("node:readline");
const parser = require("engine.io-parser");

const TYPES = Object.keys(parser.packets);

const fromJson = (value) =>
  value.binary === undefined ? value.text : Buffer.from(value.binary, "base64");
const toJson = (value) =>
  Buffer.isBuffer(value) ? { binary: value.toString("base64") } : { text: value };

function encode(packets, supportsBinary) {
  const objects = packets.map(([type, data]) => ({
    type: TYPES[type],
    data: typeof data === "string" ? data : fromJson(data),
  }));
  let encoded;
  parser.encodePayload(objects, supportsBinary, (payload) => {
    encoded = payload;
  });
  return toJson(encoded);
}

function decode(payload) {
  const packets = [];
  let failed = false;
  parser.decodePayload(fromJson(payload), (packet) => {
    const type = TYPES.indexOf(packet.type);
    failed ||= type === -1;
    const { data } = packet;
    packets.push([type, Buffer.isBuffer(data) ? toJson(data) : (data ?? "")]);
    return !failed;
  });
  return failed ? null : packets;
}

readline.createInterface({ input: process.stdin, crlfDelay: Infinity }).on("line", (line) => {
  const { packets, bodies } = JSON.parse(line);
  const out = {
    text: encode(packets, false),
    any: encode(packets, true),
    decoded: bodies.map(decode),
  };
  process.stdout.write(`${JSON.stringify(out)}\n`);
});
