// What page.html offers to chromium.mjs: the scenarios, with the client that the page has loaded.

import { Peer } from "./peer.mjs";
import { scenarios } from "./scenarios.mjs";

globalThis.runScenario = async (name, transports) => {
  const { io } = globalThis;
  const clients = [{ major: 4, io, Manager: io.Manager }];
  const peer = new Peer({ clients, url: location.origin, transports });
  globalThis.state = () => peer.state();
  await peer.run(scenarios, name);
};
