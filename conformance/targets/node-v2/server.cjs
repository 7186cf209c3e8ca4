"use strict";

const { Server: EngineServer } = require("engine.io");
const SocketServer = require("socket.io");
const { serve } = require("../node-tier1.cjs");

serve({ EngineServer, SocketServer });
