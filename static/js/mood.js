// Shows a mood: its name and picture, and the seven bars.

const bars = new Map([...document.querySelectorAll("#bars label")].map((row) => [row.dataset.emotion, row]));
const label = document.getElementById("mood-label");
const picture = document.getElementById("mood-picture");
const announcement = document.getElementById("mood-announcement");
const pictures = picture.getAttribute("href").split("#")[0];
const ANNOUNCE_PAUSE = 4000; // ms: a screen reader must be able to finish its sentence

let announced = null;
let announcedAt = -Infinity;

/** Show a mood as the server sends it; its label is null while nothing is known. */
export function showMood(mood) {
  const chosen = "chosen" in mood.sources;
  label.textContent = mood.label ?? "not read yet";
  picture.setAttribute("href", `${pictures}#${mood.label ?? "neutral"}`);
  for (const [emotion, row] of bars) {
    const percent = Math.round(mood.vector[emotion] * 100);
    row.classList.toggle("leading", emotion === mood.label);
    row.querySelector(".fill").style.transform = `translateX(${(mood.vector[emotion] - 1) * 100}%)`;
    row.querySelector(".share").textContent = `${percent}\u2009%`;
    row.querySelector(".well").setAttribute("aria-valuenow", percent);
  }
  const now = performance.now();
  if (mood.label && mood.label !== announced && now - announcedAt > ANNOUNCE_PAUSE) {
    announced = mood.label;
    announcedAt = now;
    announcement.textContent = chosen ? `You chose ${mood.label}.` : `You look ${mood.label}.`;
  }
}
