// What the scenarios need of a client, the same for every major version and in a browser as well.

const OPTIONS = {
  default: {},
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
};
const FINAL_TRANSPORT = { default: "websocket", polling: "polling", websocket: "websocket" };

/** Bytes, in the type that people send from this environment. */
export function blob(bytes) {
  return globalThis.Buffer ? Buffer.from(bytes) : Uint8Array.from(bytes);
}

/** A value without what differs between environments: blobs of any type are their bytes. */
function plain(value) {
  if (value === undefined) return "<undefined>";
  if (value === null || typeof value !== "object") return value;
  if (value instanceof ArrayBuffer) value = new Uint8Array(value);
  if (ArrayBuffer.isView(value)) return { "<blob>": Array.from(value).join(" ") };
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

export function ensure(condition, complaint) {
  if (!condition) throw new Error(complaint);
}

/** Throws unless two values have the same members, all the way down. */
export function equal(actual, expected) {
  const [got, wanted] = [actual, expected].map((value) => JSON.stringify(plain(value)));
  if (got === wanted) return;
  let from = 0;
  while (got[from] === wanted[from]) from++;
  const near = (text) => text.slice(Math.max(0, from - 200), from + 200);
  throw new Error(`not equal from character ${from} on\n  got    ${near(got)}\n  wanted ${near(wanted)}`);
}

/** The arguments with which an event arrives next. */
export function next(emitter, name) {
  return new Promise((resolve) => emitter.once(name, (...args) => resolve(args)));
}

/** Settles when the server has admitted a socket, or refused it. */
export function connection(socket) {
  return new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("connect_error", reject);
    if (socket.revision === 4) socket.once("error", reject);
  });
}

/** Why the server refuses a socket. Revision 4 tells one value, of any type; later an Error. */
export async function refusal(socket) {
  const reason = await connection(socket).then(
    () => ensure(false, "the socket was not refused"),
    (reason) => reason,
  );
  if (socket.revision === 4) return reason;
  ensure(reason instanceof Error, "the reason is no Error");
  return { message: reason.message, data: reason.data };
}

/** Emits an event, and resolves with everything that acknowledges it. */
export function askAll(socket, ...event) {
  return new Promise((resolve) => socket.emit(...event, (...args) => resolve(args)));
}

/** Emits an event, and resolves with the first value that acknowledges it. */
export async function ask(socket, ...event) {
  return (await askAll(socket, ...event))[0];
}

/** A round trip: what the server sent before has arrived when this resolves. */
export async function sync(...all) {
  for (const socket of all) await ask(socket, "echo-ack", "sync");
}

/** Resolves at the next heartbeat, which in revision 4 is the answer to the client's ping. */
export async function heartbeat(socket) {
  // Not the manager's `ping`: major version 3 never emits it.
  const type = socket.revision === 4 ? "pong" : "ping";
  for (;;) {
    const [packet] = await next(socket.io.engine, "packet");
    if (packet.type === type) return;
  }
}

/** Whether this client knows of connection state recovery. */
export function recovers(socket) {
  return socket.major >= 4;
}

/** Who runs a scenario. */
export class Peer {
  #turn = 0;

  /**
   * @param clients  what speaks to the server, in turns: { major, io, Manager } of each
   * @param url      of the server
   * @param transports  `default` (polling, then an upgrade), `polling` or `websocket`
   * @param say      prints a line for whoever started this
   * @param holdCandidate  keeps the WebSocket of a new socket from opening: see node.mjs
   */
  constructor({ clients, url, transports, say, holdCandidate }) {
    ensure(transports in OPTIONS, `no transports are called ${transports}`);
    Object.assign(this, { clients, url, transports, say, holdCandidate });
    this.sockets = [];
    this.reports = []; // functions: what is worth telling if the scenario hangs, or null
  }

  #nextClient() {
    return this.clients[this.#turn++ % this.clients.length];
  }

  #keep(socket, { major }) {
    this.sockets.push(Object.assign(socket, { major, revision: major === 2 ? 4 : 5 }));
    return socket;
  }

  #options(client, { auth, ...options }) {
    // Revision 4 has no payload in CONNECT: credentials are in the query of the request, and of
    // the namespace.
    return {
      reconnection: false,
      ...OPTIONS[this.transports],
      ...options,
      ...(auth && (client.major === 2 ? { query: auth } : { auth })),
    };
  }

  /** A socket on a connection of its own, not yet admitted. */
  newSocket(options = {}, namespace = "") {
    const client = this.#nextClient();
    const all = { forceNew: true, ...this.#options(client, options) };
    return this.#keep(client.io(this.url + namespace, all), client);
  }

  async connected(options, namespace) {
    const socket = this.newSocket(options, namespace);
    await connection(socket);
    return socket;
  }

  /** Sockets in `/` and another namespace, on one connection, not yet admitted. */
  newPair(auth, namespace, otherAuth) {
    const client = this.#nextClient();
    const manager = new client.Manager(this.url, this.#options(client, { auth }));
    return [
      this.#keep(manager.socket("/", this.#options(client, { auth })), client),
      this.#keep(manager.socket(namespace, this.#options(client, { auth: otherAuth })), client),
    ];
  }

  /** Resolves when the connection uses the transport it will end on. */
  async settled(socket) {
    const { engine } = socket.io;
    const final = FINAL_TRANSPORT[this.transports];
    if (engine.transport.name !== final) await next(engine, "upgrade");
    equal(engine.transport.name, final);
  }

  async run(scenarios, name) {
    ensure(name in scenarios, `no scenario is called ${name}`);
    await scenarios[name](this);
    for (const socket of this.sockets) {
      // Whoever leaves amid an upgrade may have sent a poll that arrives after its CLOSE.
      if (socket.connected) await this.settled(socket);
      socket.disconnect();
    }
  }

  /** What this peer is at, for a scenario that hangs. */
  state() {
    const lines = this.sockets.slice(0, 5).map((socket) => {
      const { engine } = socket.io;
      return [socket.nsp, socket.connected, engine?.readyState, engine?.transport?.name].join(" ");
    });
    const told = this.reports.map((report) => report()).filter((report) => report !== null);
    const example = JSON.stringify(told[0]);
    if (told.length) lines.push(`${told.length} of ${this.reports.length} are unfinished: ${example}`);
    return lines.join("\n");
  }
}
