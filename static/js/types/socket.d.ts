import type { Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "../messages.js";

/** The connection to the server, with its typed events. */
export type ServerSocket = Socket<ServerToClientEvents, ClientToServerEvents>;
