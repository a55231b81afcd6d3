// The Socket.IO connection to the server.

/** @import { ServerSocket } from "./types/socket.js" */

import { io } from "../vendor/socket.io.esm.min.js";

const RESTART_PAUSE_MS = 1000; // a server that restarts is back soon
const REFUSAL_PAUSE_MS = 30_000; // a full server accepts a connection only once another visitor leaves

/**
 * Connect to the server, and reconnect when the connection ends.
 * @returns {ServerSocket}
 */
export function openConnection() {
  /** @type {ServerSocket} */
  const socket = io({
    transports: ["websocket", "polling"],
    auth: (send) => fetchToken().then(send),
  });
  // The library reconnects by itself after a network failure, but not when the server disconnects or refuses.
  socket.on("disconnect", () => {
    if (!socket.active) setTimeout(() => socket.connect(), RESTART_PAUSE_MS);
  });
  socket.on("connect_error", (error) => {
    if (!socket.active) setTimeout(() => socket.connect(), retryPause(error));
  });
  return socket;
}

/**
 * Return the pause in ms after which the server, in a refusal, allows another attempt.
 * @param {Error & { data?: { again?: number } }} error
 */
function retryPause(error) {
  return 1000 * (error.data?.again ?? 0) || REFUSAL_PAUSE_MS;
}

/** Fetch the token that proves that this is the server's own page; one for each connection, as it is bound to the cookie. */
async function fetchToken() {
  try {
    return await (await fetch("/token")).json();
  } catch {
    return {}; // the server is down, or limits our requests: the connection attempt will report that
  }
}
