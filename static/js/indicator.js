// Tells, wherever one is on the page and in the tab's title, which senses are open; and closes all of them at once.

const bar = document.getElementById("open-senses");
const title = document.title;

/** Show which senses are open. `onStop` is called to close them all. Returns what tells that one is open, or is not. */
export function openIndicator(onStop) {
  const chips = new Map([...bar.querySelectorAll("[data-sense]")].map((chip) => [chip.dataset.sense, chip]));
  document.getElementById("stop-everything").addEventListener("click", onStop);
  return (sense, open) => {
    chips.get(sense).hidden = !open;
    const none = [...chips.values()].every((chip) => chip.hidden);
    bar.hidden = none;
    document.title = none ? title : `● ${title}`;
  };
}
