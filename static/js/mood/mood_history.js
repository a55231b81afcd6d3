// The mood history card: charts of this session's moods, a summary in words, downloads, and deletion.
// The history exists on this page only; the server holds its last ten minutes in memory, and deletes them too.

/** @import { Emotion, Mood } from "../messages.js" */
/** @import { ServerSocket } from "../types/socket.js" */

import { byId, query, queryAll } from "../dom.js";
import { percent } from "../format.js";
import { setStatus } from "../live_region.js";
import { Circumplex } from "./circumplex.js";
import { HistoryData, readingMarks, summarize, toCsv, withGaps } from "./history_data.js";
import { renderHistoryImage } from "./history_image.js";
import { SOURCE_NAMES, sortedShares } from "./mood_view.js";
import { SharesChart } from "./shares_chart.js";

const ANSWER_TIMEOUT_MS = 10_000;
const DOWNLOAD_PAUSE_MS = 10_000; // by then the browser has read what it downloads

const card = byId("mood-history", HTMLElement);
const emptyState = byId("history-empty", HTMLElement);
const content = byId("history-content", HTMLElement);
const contributionSection = byId("history-contributions", HTMLElement);
const contributionList = byId("contributions", HTMLElement);
const summary = byId("history-summary", HTMLElement);
const announcement = byId("history-announcement", HTMLElement);
const heading = byId("history-heading", HTMLElement);
const csvButton = byId("history-csv", HTMLButtonElement);
const imageButton = byId("history-image", HTMLButtonElement);
const deleteButton = byId("history-delete", HTMLButtonElement);
const legend = queryAll(document, "#history-legend [data-emotion]", HTMLElement);
const EMOTIONS = legend.map((entry) => /** @type {Emotion} */ (entry.dataset.emotion)); // in stacking order, top first

/**
 * Set up the mood history.
 * @param {ServerSocket} socket
 * @returns {(mood: Mood) => void} shows the current mood in it
 */
export function openMoodHistory(socket) {
  const history = new HistoryData();
  let drawn = false; // charts need a size, which they have once they are shown
  const chart = new SharesChart(byId("history-chart", HTMLElement), EMOTIONS);
  const circumplex = new Circumplex(byId("circumplex", HTMLCanvasElement));

  function draw() {
    const { entries } = history;
    emptyState.hidden = entries.length > 0;
    for (const part of [content, summary, csvButton, imageButton, deleteButton]) part.hidden = entries.length === 0;
    if (entries.length === 0 || document.hidden) return;
    drawn = true;
    const now = Date.now() / 1000;
    chart.draw(withGaps(entries), readingMarks(entries), now);
    circumplex.draw(entries.filter((entry) => now - entry.at < circumplex.trailSeconds));
    summary.textContent = summarize(entries, EMOTIONS);
  }

  async function deleteHistory() {
    let answer;
    try {
      answer = await socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck("forget", "course");
    } catch {
      answer = {
        error: "The server does not answer. This page has deleted the history; the server deletes it when you leave.",
      };
    }
    history.clear(Date.now() / 1000);
    draw();
    setStatus(announcement, answer.error ?? "Deleted, here and on the server.", { announce: true });
    heading.focus();
  }

  csvButton.addEventListener("click", () => {
    download(new Blob([toCsv(history.entries, EMOTIONS)], { type: "text/csv" }), history.entries[0].at, "csv");
    setStatus(announcement, "Your mood history is downloaded as a CSV file.", { announce: true });
  });
  imageButton.addEventListener("click", async () => {
    const text = summarize(history.entries, EMOTIONS);
    const style = getComputedStyle(card);
    const image = await renderHistoryImage({ chart, circumplex, summary: text, emotions: EMOTIONS, style });
    download(image, history.entries[0].at, "png");
    setStatus(announcement, "Your mood history is downloaded as an image.", { announce: true });
  });
  deleteButton.addEventListener("click", deleteHistory);
  socket.on("course", (moods) => {
    history.add(moods, Date.now() / 1000);
    draw();
  });
  document.addEventListener("visibilitychange", draw);
  new ResizeObserver(() => {
    if (drawn) draw();
  }).observe(card);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();

  return (mood) => {
    showContributions(mood);
    if (history.entries.length && !document.hidden) circumplex.showMood(mood.label ? mood : null);
  };
}

/**
 * List each source's emotion and its share in the mood.
 * @param {Mood} mood
 */
function showContributions(mood) {
  const sorted = sortedShares(mood.sources);
  contributionSection.hidden = sorted.length === 0;
  while (contributionList.children.length > sorted.length) contributionList.lastElementChild?.remove();
  sorted.forEach(([source, share], index) => {
    const row = contributionList.children[index] ?? contributionList.appendChild(makeContributionRow());
    const contribution = mood.said[source];
    setText(row, ".source", SOURCE_NAMES[source]);
    setText(row, ".emotion-name", contribution ? `${contribution.label} ${percent(contribution.confidence)}` : "");
    setText(row, ".weight", `counts ${percent(share)}`);
    query(row, ".meter-fill", HTMLElement).style.transform = `translateX(${(share - 1) * 100}%)`;
  });
}

/**
 * @param {Element} row
 * @param {string} selector
 * @param {string} text
 */
function setText(row, selector, text) {
  const element = query(row, selector, HTMLElement);
  if (element.textContent !== text) element.textContent = text;
}

function makeContributionRow() {
  const row = document.createElement("li");
  for (const name of ["source", "emotion-name", "weight"]) row.appendChild(document.createElement("span")).className = name;
  const meter = row.appendChild(document.createElement("span"));
  meter.className = "meter";
  meter.setAttribute("aria-hidden", "true");
  meter.appendChild(document.createElement("span")).className = "meter-fill";
  return row;
}

/**
 * @param {Blob} blob
 * @param {number} startedAt when the history began, in seconds since 1970
 * @param {string} suffix
 */
function download(blob, startedAt, suffix) {
  const link = document.createElement("a");
  const start = new Date(startedAt * 1000).toISOString().slice(0, 16).replace(":", "");
  link.download = `mood-mirror-${start}.${suffix}`;
  link.href = URL.createObjectURL(blob);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), DOWNLOAD_PAUSE_MS);
}
