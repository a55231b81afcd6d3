// How the session went: the course of the mood, drawn as it goes on, told in words, downloaded, and forgotten.
// It is kept on this page alone; the server keeps its last ten minutes in memory, and forgets them too.

import { Circumplex } from "./circumplex.js";
import { SOURCES } from "./mood.js";
import { SharesChart } from "./shares_chart.js";
import { tell } from "./tell.js";

const MOST_KEPT = 600; // moods: ten minutes, for the server sends one a second
const GAP = 2.5; // seconds without a mood after which nothing was known
const CLOCK_STEP = 30; // seconds: no message is delayed by so much, so a clock was changed, or another server answers
const ANSWER_TIMEOUT = 10_000; // ms
const SAVE_PAUSE = 10_000; // ms: by then a browser has taken what it downloads
const SPEAKERS = ["text", "speech"]; // whose speaking is marked; a face is there or not
const PICTURE_MARGIN = 24; // pixels of the page

const element = (id) => document.getElementById(id);
const card = element("course");
const empty = element("course-empty");
const shown = element("course-shown");
const said = element("course-said");
const summary = element("course-summary");
const told = element("course-told");
const buttons = { csv: element("course-csv"), picture: element("course-picture"), forget: element("course-forget") };
const legend = [...document.querySelectorAll("#course-legend [data-emotion]")];
const EMOTIONS = legend.map((entry) => entry.dataset.emotion); // in the order in which they are stacked, from the top

/** Follow the mood over this connection. Returns what is to be called with each mood as it changes. */
export function openCourse(socket) {
  let moods = []; // oldest first, each with `at` in seconds since 1970
  let forgottenAt = -Infinity;
  let clocksApart = Infinity; // seconds since 1970 less the server's
  let drawn = false; // charts need a size, which they have only once they are shown
  const chart = new SharesChart(element("course-chart"), EMOTIONS);
  const circumplex = new Circumplex(element("circumplex"));

  function draw() {
    const known = moods.length > 0;
    empty.hidden = known;
    for (const part of [shown, summary, ...Object.values(buttons)]) part.hidden = !known;
    if (!known || document.hidden) return;
    drawn = true;
    const now = Date.now() / 1000;
    chart.draw(withGaps(moods), marks(moods), now);
    circumplex.draw(moods.filter((mood) => now - mood.at < circumplex.seconds));
    summary.textContent = inWords(moods);
  }

  /** Take in what the course has gained, moods as the server sends them, oldest first. */
  function take(gained) {
    const ahead = Date.now() / 1000 - gained.at(-1).at;
    // The message that came quickest tells best how far the clocks are apart; one of them may also have been put right.
    if (ahead < clocksApart || ahead > clocksApart + CLOCK_STEP) clocksApart = ahead;
    for (const mood of gained) {
      const at = mood.at + clocksApart;
      const last = moods.at(-1)?.at ?? forgottenAt; // what was before is not shown any more, even if it comes late
      if (at > last) moods.push({ ...mood, at, clocksApart });
    }
    moods = moods.slice(-MOST_KEPT);
    draw();
  }

  async function forget() {
    let answer;
    try {
      answer = await socket.timeout(ANSWER_TIMEOUT).emitWithAck("forget", "course");
    } catch {
      answer = { error: "The server does not answer. What this page knew is forgotten; the server forgets when you leave." };
    }
    moods = [];
    forgottenAt = Date.now() / 1000;
    draw();
    tell(told, answer.error ?? "Forgotten, here and on the server.", { aloud: true });
    element("course-heading").focus();
  }

  buttons.csv.addEventListener("click", () => {
    download(new Blob([asCsv(moods)], { type: "text/csv" }), moods, "csv");
    tell(told, "Your course is downloaded as a table.", { aloud: true });
  });
  buttons.picture.addEventListener("click", async () => {
    download(await asPicture(chart, circumplex, inWords(moods)), moods, "png");
    tell(told, "Your course is downloaded as a picture.", { aloud: true });
  });
  buttons.forget.addEventListener("click", forget);
  socket.on("course", take);
  document.addEventListener("visibilitychange", draw);
  new ResizeObserver(() => drawn && draw()).observe(card);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();

  return (mood) => {
    showSaid(mood);
    if (moods.length && !document.hidden) circumplex.move(mood.label ? mood : null);
  };
}

/** Which source says what, and with how much weight. */
function showSaid(mood) {
  const given = Object.entries(mood.sources).sort((one, other) => other[1] - one[1]);
  said.parentElement.hidden = given.length === 0;
  while (said.children.length > given.length) said.lastChild.remove();
  given.forEach(([source, share], index) => {
    const row = said.children[index] ?? said.appendChild(makeRow());
    const { label, confidence } = mood.said[source];
    const words = [SOURCES[source], `${label} ${percent(confidence)}`, `counts ${percent(share)}`];
    [...row.querySelectorAll("span:not(.well, .fill)")].forEach((span, place) => {
      if (span.textContent !== words[place]) span.textContent = words[place];
    });
    row.querySelector(".fill").style.transform = `translateX(${(share - 1) * 100}%)`;
  });
}

function makeRow() {
  const row = document.createElement("li");
  for (const name of ["who", "what", "weight"]) row.appendChild(document.createElement("span")).className = name;
  const well = row.appendChild(document.createElement("span"));
  well.className = "well";
  well.setAttribute("aria-hidden", "true");
  well.appendChild(document.createElement("span")).className = "fill";
  return row;
}

/** The moods, and null where nothing was known between two of them. */
function withGaps(moods) {
  return moods.flatMap((mood, index) => {
    const before = moods[index - 1];
    return before && mood.at - before.at > GAP ? [{ at: before.at + 1, vector: null }, mood] : [mood];
  });
}

/** When words or voice spoke: {at, source}. */
function marks(moods) {
  const found = [];
  const last = {};
  for (const mood of moods) {
    for (const source of SPEAKERS) {
      const said = mood.said[source];
      if (said && said.at !== last[source]) found.push({ source, at: said.at + mood.clocksApart });
      last[source] = said?.at ?? last[source];
    }
  }
  return found;
}

/** The course in a sentence or two. */
function inWords(moods) {
  const mean = EMOTIONS.map((emotion) => moods.reduce((sum, mood) => sum + mood.vector[emotion], 0) / moods.length);
  const [first, second] = EMOTIONS.map((emotion, index) => [emotion, mean[index]]).sort((one, other) => other[1] - one[1]);
  const spoke = marks(moods);
  const times = (source) => spoke.filter((mark) => mark.source === source).length;
  const heard = [
    times("text") ? `Your words spoke ${count(times("text"))}` : "",
    times("speech") ? `${times("text") ? "your" : "Your"} voice ${times("text") ? "" : "spoke "}${count(times("speech"))}` : "",
  ].filter(Boolean);
  const seconds = Math.round(moods.at(-1).at - moods[0].at);
  const span = seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const course = `In ${span}: mostly ${first[0]} (${percent(first[1])}), then ${second[0]} (${percent(second[1])}).`;
  return heard.length ? `${course} ${heard.join(", ")}.` : course;
}

/** The course as a table: a row a mood, times in UTC, shares 0…1. */
function asCsv(moods) {
  const sources = Object.keys(SOURCES);
  const header = ["time", "label", "mixed", "confidence", ...EMOTIONS, "valence", "arousal"];
  header.push(...sources.flatMap((source) => [`${source}_says`, `${source}_share`]));
  const rows = moods.map((mood) => [
    new Date(mood.at * 1000).toISOString(),
    mood.label,
    mood.mixed?.join("|") ?? "",
    mood.confidence,
    ...EMOTIONS.map((emotion) => mood.vector[emotion]),
    mood.valence,
    mood.arousal,
    ...sources.flatMap((source) => [mood.said[source]?.label ?? "", mood.sources[source] ?? ""]),
  ]);
  return [header, ...rows].map((row) => `${row.join(",")}\r\n`).join("");
}

/** Both charts, their legend and what they say, as a PNG. */
async function asPicture(chart, circumplex, words) {
  const density = window.devicePixelRatio || 1;
  const style = getComputedStyle(card);
  const canvas = document.createElement("canvas");
  const [left, right] = [chart.canvas, circumplex.canvas].map(({ width, height }) => ({
    width: width / density,
    height: height / density,
  }));
  const width = left.width + right.width + 3 * PICTURE_MARGIN;
  const top = PICTURE_MARGIN + 64;
  const height = top + Math.max(left.height, right.height) + PICTURE_MARGIN + 48;
  canvas.width = width * density;
  canvas.height = height * density;
  const pen = canvas.getContext("2d");
  pen.scale(density, density);
  pen.fillStyle = style.getPropertyValue("--surface");
  pen.fillRect(0, 0, width, height);
  pen.fillStyle = style.getPropertyValue("--text");
  pen.font = `700 18px ${style.fontFamily}`;
  pen.fillText("How it went", PICTURE_MARGIN, PICTURE_MARGIN + 14);
  pen.font = `14px ${style.fontFamily}`;
  pen.fillText(words, PICTURE_MARGIN, PICTURE_MARGIN + 40, width - 2 * PICTURE_MARGIN);
  pen.drawImage(chart.canvas, PICTURE_MARGIN, top, left.width, left.height);
  pen.drawImage(circumplex.canvas, left.width + 2 * PICTURE_MARGIN, top, right.width, right.height);
  let x = PICTURE_MARGIN;
  const y = height - PICTURE_MARGIN - 22;
  for (const emotion of EMOTIONS) {
    pen.fillStyle = style.getPropertyValue(`--${emotion}`);
    pen.fillRect(x, y - 11, 12, 12);
    pen.fillStyle = style.getPropertyValue("--text");
    pen.fillText(emotion, x + 17, y);
    x += pen.measureText(emotion).width + 34;
  }
  pen.fillText("▼ words spoke    ● voice spoke", PICTURE_MARGIN, y + 22);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

function download(blob, moods, suffix) {
  const link = document.createElement("a");
  const began = new Date(moods[0].at * 1000).toISOString().slice(0, 16).replace(":", "");
  link.download = `mood-mirror-${began}.${suffix}`;
  link.href = URL.createObjectURL(blob);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), SAVE_PAUSE);
}

const percent = (share) => `${Math.round(share * 100)}\u2009%`;
const count = (times) => (times === 1 ? "once" : times === 2 ? "twice" : `${times} times`);
