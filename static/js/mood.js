// Shows a mood: its name and picture, what it is made from, and the seven bars.

const bars = new Map([...document.querySelectorAll("#bars label")].map((row) => [row.dataset.emotion, row]));
const label = document.getElementById("mood-label");
const picture = document.getElementById("mood-picture");
const drawn = document.getElementById("drawn"); // the mirror's own face, for who uses no camera
const sources = document.getElementById("sources");
const announcement = document.getElementById("mood-announcement");
const pictures = picture.getAttribute("href").split("#")[0];
const ANNOUNCE_PAUSE = 4000; // ms: a screen reader must be able to finish its sentence

export const SOURCES = { face: "face", speech: "voice", text: "words", chosen: "your choice" };
const SENTENCES = { face: "You look", speech: "You sound", text: "Your words sound", chosen: "You chose" };
const FEELINGS = { disgust: "disgusted", fear: "afraid", surprise: "surprised" };

let announced = null;
let announcedAt = -Infinity;
let waiting; // to be announced

/** The adjective for one who feels an emotion. */
export const feeling = (emotion) => FEELINGS[emotion] ?? emotion;

/** Say whether what is held is a file's mood, or one that was chosen by hand. */
export function nameChoice(isFile) {
  SOURCES.chosen = isFile ? "your file" : "your choice";
  SENTENCES.chosen = isFile ? "Your file says" : "You chose";
}

/** Show a mood as the server sends it; its label is null while nothing is known. */
export function showMood(mood) {
  label.textContent = mood.name ?? "not read yet";
  drawn.dataset.emotion = mood.label ?? "neutral";
  for (const use of [picture, drawn.querySelector("use")]) use.setAttribute("href", `${pictures}#${mood.label ?? "neutral"}`);
  showSources(mood.sources);
  for (const [emotion, row] of bars) {
    const percent = Math.round(mood.vector[emotion] * 100);
    row.classList.toggle("leading", (mood.mixed ?? [mood.label]).includes(emotion));
    row.querySelector(".fill").style.transform = `translateX(${(mood.vector[emotion] - 1) * 100}%)`;
    row.querySelector(".share").textContent = `${percent}\u2009%`;
    row.querySelector(".well").setAttribute("aria-valuenow", percent);
  }
  announce(mood);
}

/** Say a mood aloud, but not more often than one can listen: what comes too soon waits, unless another mood takes its place. */
function announce(mood) {
  clearTimeout(waiting);
  if (!mood.name || mood.name === announced) return;
  const pause = announcedAt + ANNOUNCE_PAUSE - performance.now();
  if (pause > 0) {
    waiting = setTimeout(() => announce(mood), pause);
    return;
  }
  announced = mood.name;
  announcedAt = performance.now();
  announcement.textContent = sentence(mood);
}

function sentence(mood) {
  const heaviest = (sources) => sources.reduce((one, other) => (mood.sources[other] > mood.sources[one] ? other : one));
  const given = Object.keys(mood.sources);
  if (!mood.mixed) {
    const source = heaviest(given);
    return `${SENTENCES[source]} ${source === "chosen" ? mood.label : feeling(mood.label)}.`;
  }
  const parts = mood.mixed.map((emotion) => {
    const speakers = given.filter((source) => mood.said[source].label === emotion);
    return speakers.length ? `${SENTENCES[heaviest(speakers)]} ${feeling(emotion)}` : feeling(emotion);
  });
  return `Mixed feelings. ${parts.join(". ")}.`;
}

function showSources(shares) {
  const given = Object.entries(shares).sort((one, other) => other[1] - one[1]);
  sources.hidden = given.length === 0;
  while (sources.children.length > given.length) sources.lastChild.remove();
  given.forEach(([source, share], index) => {
    const chip = sources.children[index] ?? sources.appendChild(document.createElement("li"));
    const words = given.length > 1 ? `${SOURCES[source]} ${Math.round(share * 100)}\u2009%` : SOURCES[source];
    if (chip.textContent !== words) chip.textContent = words;
  });
}
