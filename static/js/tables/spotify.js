// The visitor's sign-in to Spotify, and the choice of their liked songs for the table of songs.

/** @import { SpotifyPayload } from "../messages.js" */
/** @import { ServerSocket } from "../types/socket.js" */

import { byId } from "../dom.js";
import { setStatus } from "../live_region.js";

const LIKED = "liked"; // the list of all liked songs
const UNREACHABLE = "The server did not answer. Try again in a moment.";

/**
 * Set up the sign-in; does nothing where the site has none.
 * @param {ServerSocket} socket
 * @param {() => void} sendPreferences sends them with the chosen list
 */
export function openSpotify(socket, sendPreferences) {
  if (!document.getElementById("spotify")) return;
  const section = byId("spotify", HTMLElement);
  const status = byId("spotify-status", HTMLElement);
  const notice = byId("spotify-notice", HTMLElement);
  const progress = byId("spotify-progress", HTMLProgressElement);
  const signIn = byId("spotify-sign-in", HTMLAnchorElement);
  const signOut = byId("spotify-sign-out", HTMLButtonElement);
  const readAgain = byId("spotify-read", HTMLButtonElement);
  const listChoice = byId("song-list-choice", HTMLElement);
  const list = byId("song-list", HTMLSelectElement);

  /** @param {SpotifyPayload} spotify */
  function show(spotify) {
    const { state } = spotify;
    const changed = section.dataset.state !== state;
    section.dataset.state = state;
    setStatus(status, describe(spotify), { announce: changed && state !== "signed_out" });
    notice.hidden = state !== "signed_out";
    progress.hidden = state !== "reading";
    if (spotify.total) progress.value = spotify.read / spotify.total;
    else progress.removeAttribute("value");
    signIn.hidden = state !== "signed_out";
    signOut.hidden = state === "signed_out";
    readAgain.hidden = state !== "ready" && state !== "failed";
    if (state === "ready") showLists(spotify.lists);
    else if (state === "signed_out") showLists([]);
  }

  /** @param {SpotifyPayload["lists"]} lists */
  function showLists(lists) {
    const chosen = list.value;
    const options = lists.map(
      ({ name, songs }) => new Option(`${name === LIKED ? "My liked songs" : `My liked songs: ${name}`} (${songs})`, name),
    );
    list.replaceChildren(new Option("All songs", ""), ...options);
    list.value = lists.some(({ name }) => name === chosen) ? chosen : "";
    listChoice.hidden = lists.length === 0;
    if (list.value !== chosen) sendPreferences();
  }

  /** @param {string} action */
  async function post(action) {
    let done = false;
    try {
      done = (await fetch(`/spotify/${action}`, { method: "POST" })).ok;
    } catch {
      // the server is not reachable
    }
    if (!done) setStatus(status, UNREACHABLE, { announce: true });
  }

  signOut.addEventListener("click", () => {
    signIn.hidden = false; // so that it can get the keyboard's focus
    signIn.focus();
    post("sign-out");
  });
  readAgain.addEventListener("click", () => post("read"));
  list.addEventListener("change", sendPreferences);
  socket.on("spotify", show);
}

/**
 * Describe the state of the sign-in to the visitor.
 * @param {SpotifyPayload} spotify
 */
function describe({ state, read, total, in_catalogue: known, guessed, message }) {
  if (state === "failed") return message;
  if (state === "signed_out") return "";
  if (state === "reading")
    return total === null ? "Reading your liked songs …" : `Reading your liked songs: ${read} of ${total}`;
  if (read === 0) return "You have no liked songs at Spotify yet.";
  const added = read - known;
  const parts = [`${count(read)} ${read === 1 ? "counts" : "count"} as liked`];
  if (known) parts.push(`${known} ${known === 1 ? "was" : "were"} in the lists already`);
  if (added) parts.push(`${added} ${added === 1 ? "is" : "are"} added for you`);
  if (guessed) parts.push(`the mood of ${guessed} is guessed from artist or title`);
  return `${parts.join("; ")}.`;
}

/** @param {number} songs */
const count = (songs) => (songs === 1 ? "1 liked song" : `${songs} liked songs`);
