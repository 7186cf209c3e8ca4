// Runs a scenario in Node: node node.mjs MAJORS SCENARIO URL TRANSPORTS
//
// MAJORS are the major versions of socket.io-client whose sockets take turns: `4`, or `2,3,4` for
// all at once. TRANSPORTS is `default` (polling, then an upgrade), `polling` or `websocket`. Exit
// code 0 means that every assertion held. A scenario that needs the server to go away prints a
// line when it is ready for it; everything else that is printed is the error. `node node.mjs
// --list` prints the names of the scenarios.

import { createRequire } from "node:module";
import { Peer } from "./peer.mjs";
import { scenarios } from "./scenarios.mjs";

const PACKAGES = { 2: "socket.io-client-2", 3: "socket.io-client-3", 4: "socket.io-client" };
// Below the time that pytest gives a scenario: here it is known what it waited for.
const TIMEOUT = 60_000;

const require = createRequire(import.meta.url);

function loadClient(major) {
  const { io, connect, Manager } = require(PACKAGES[major]);
  const { transports } = createRequire(require.resolve(PACKAGES[major]))("engine.io-client");
  letScenariosHold(transports.websocket);
  return { major: Number(major), io: io ?? connect, Manager };
}

/** Make a WebSocket open no sooner than the `gate` of its session, if there is one. */
function letScenariosHold({ prototype }) {
  const { doOpen } = prototype;
  prototype.doOpen = async function () {
    await this.socket.gate;
    doOpen.call(this);
  };
}

/** Keep the candidate transport of a new socket from opening until the result is called. */
function holdCandidate(socket) {
  let release;
  socket.io.engine.gate = new Promise((resolve) => (release = resolve));
  return release;
}

async function main(majors, name, url, transports) {
  const clients = majors.split(",").map(loadClient);
  const peer = new Peer({ clients, url, transports, say: console.log, holdCandidate });
  const guard = setTimeout(() => {
    console.error(`scenario ${name} did not end in time\n${peer.state()}`);
    process.exit(1);
  }, TIMEOUT);
  await peer.run(scenarios, name);
  clearTimeout(guard);
}

if (process.argv[2] === "--list") console.log(Object.keys(scenarios).join("\n"));
else await main(...process.argv.slice(2));
