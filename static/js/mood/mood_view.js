// Shows the mood: its name and picture, its sources, and the bars of the seven emotions.

/** @import { Emotion, Mood, Source } from "../messages.js" */

import { byId, query, queryAll } from "../dom.js";
import { percent } from "../format.js";

const bars = queryAll(document, "#bars label", HTMLElement).map((row) => ({
  emotion: /** @type {Emotion} */ (row.dataset.emotion),
  row,
  fill: query(row, ".meter-fill", HTMLElement),
  share: query(row, ".share", HTMLElement),
  meter: query(row, ".meter", HTMLElement),
}));
const label = byId("mood-label", HTMLElement);
const picture = byId("mood-picture", SVGUseElement);
const avatar = byId("avatar", HTMLElement); // shown in place of a camera picture
const avatarPicture = query(avatar, "use", SVGUseElement);
const sourceList = byId("sources", HTMLElement);
const announcement = byId("mood-announcement", HTMLElement);
const pictureFile = (picture.getAttribute("href") ?? "").split("#")[0];
const ANNOUNCEMENT_PAUSE_MS = 4000; // a screen reader needs time to finish its sentence

/** What the page calls each source. @type {Record<Source, string>} */
const LIVE_NAMES = { face: "face", speech: "voice", text: "text", chosen: "your choice" };
/** @type {Record<Source, string>} */
const LIVE_SENTENCE_STARTS = {
  face: "You look",
  speech: "You sound",
  text: "Your words sound",
  chosen: "You chose",
};
/** The same for sources that files replace. @type {Partial<Record<Source, string>>} */
const FILE_NAMES = { face: "picture", speech: "recording", text: "text file" };
/** @type {Partial<Record<Source, string>>} */
const FILE_SENTENCE_STARTS = {
  face: "Your picture looks",
  speech: "Your recording sounds",
  text: "Your text file sounds",
};
export const SOURCE_NAMES = { ...LIVE_NAMES };
const SENTENCE_STARTS = { ...LIVE_SENTENCE_STARTS };
/** @type {Partial<Record<Emotion, string>>} */
const ADJECTIVES = { disgust: "disgusted", fear: "afraid", surprise: "surprised" };

/** @type {string | null} */
let announcedName = null;
let announcedAt = -Infinity;
let announcementTimer = 0;

/**
 * Return the adjective for a person who feels an emotion.
 * @param {Emotion} emotion
 */
export const adjective = (emotion) => ADJECTIVES[emotion] ?? emotion;

/**
 * Set which sources files replace, so that the page names the files instead.
 * @param {Iterable<Source>} sources
 */
export function setFileSources(sources) {
  Object.assign(SOURCE_NAMES, LIVE_NAMES);
  Object.assign(SENTENCE_STARTS, LIVE_SENTENCE_STARTS);
  for (const source of sources) {
    SOURCE_NAMES[source] = FILE_NAMES[source] ?? SOURCE_NAMES[source];
    SENTENCE_STARTS[source] = FILE_SENTENCE_STARTS[source] ?? SENTENCE_STARTS[source];
  }
}

/**
 * Show a mood as the server sends it; its label is null while nothing was read.
 * @param {Mood} mood
 */
export function showMood(mood) {
  label.textContent = mood.name ?? "not read yet";
  avatar.dataset.emotion = mood.label ?? "neutral";
  for (const use of [picture, avatarPicture]) use.setAttribute("href", `${pictureFile}#${mood.label ?? "neutral"}`);
  showSources(mood.sources);
  for (const { emotion, row, fill, share, meter } of bars) {
    row.classList.toggle("leading", (mood.mixed ?? [mood.label]).includes(emotion));
    fill.style.transform = `translateX(${(mood.vector[emotion] - 1) * 100}%)`;
    share.textContent = percent(mood.vector[emotion]);
    meter.setAttribute("aria-valuenow", String(Math.round(mood.vector[emotion] * 100)));
  }
  announce(mood);
}

/**
 * Have screen readers announce a mood, with a pause between two announcements; a newer mood replaces one that waits.
 * @param {Mood} mood
 */
function announce(mood) {
  clearTimeout(announcementTimer);
  if (!mood.name || mood.name === announcedName) return;
  const pause = announcedAt + ANNOUNCEMENT_PAUSE_MS - performance.now();
  if (pause > 0) {
    announcementTimer = setTimeout(() => announce(mood), pause);
    return;
  }
  announcedName = mood.name;
  announcedAt = performance.now();
  announcement.textContent = describe(mood);
}

/** @param {Mood} mood */
function describe(mood) {
  const sources = /** @type {Source[]} */ (Object.keys(mood.sources));
  const shareOf = (/** @type {Source} */ source) => mood.sources[source] ?? 0;
  const strongest = (/** @type {Source[]} */ among) =>
    among.reduce((one, other) => (shareOf(other) > shareOf(one) ? other : one));
  if (!mood.mixed) {
    const source = strongest(sources);
    const emotion = /** @type {Emotion} */ (mood.label);
    return `${SENTENCE_STARTS[source]} ${source === "chosen" ? emotion : adjective(emotion)}.`;
  }
  const parts = mood.mixed.map((emotion) => {
    const agreeing = sources.filter((source) => mood.said[source]?.label === emotion);
    return agreeing.length ? `${SENTENCE_STARTS[strongest(agreeing)]} ${adjective(emotion)}` : adjective(emotion);
  });
  return `Mixed feelings. ${parts.join(". ")}.`;
}

/** @param {Mood["sources"]} sources */
function showSources(sources) {
  const sorted = sortedShares(sources);
  sourceList.hidden = sorted.length === 0;
  while (sourceList.children.length > sorted.length) sourceList.lastElementChild?.remove();
  sorted.forEach(([source, share], index) => {
    const chip = sourceList.children[index] ?? sourceList.appendChild(document.createElement("li"));
    const text = sorted.length > 1 ? `${SOURCE_NAMES[source]} ${percent(share)}` : SOURCE_NAMES[source];
    if (chip.textContent !== text) chip.textContent = text;
  });
}

/**
 * Return a mood's sources with their shares, largest first.
 * @param {Mood["sources"]} sources
 */
export function sortedShares(sources) {
  const entries = /** @type {[Source, number][]} */ (Object.entries(sources));
  return entries.sort((one, other) => other[1] - one[1]);
}
