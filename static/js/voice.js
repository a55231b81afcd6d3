// The voice on the page: start and stop, how loud it is, and what is heard.

import { Microphone, MicrophoneRefused } from "./microphone.js";
import { feeling } from "./mood.js";
import { tell } from "./tell.js";

const button = document.getElementById("listen");
const meter = document.getElementById("loudness");
const told = document.getElementById("voice-told");
const invitation = told.textContent;
const METER_PAUSE = 100; // ms: as fast as the eye follows a needle
const QUIET = -60; // dB of full scale: a quiet room; the meter's left end
const CLOSED = "The microphone stays closed. Write, or choose a mood.";
const WORDS = {
  listening: "Listening …",
  silence: "Silence. Say something: a sentence is enough.",
  speech: "Hearing you.",
};

/**
 * Let the visitor speak over this connection. `askLeave` asks whether the microphone may be opened, `onSwitch` is told whether it
 * is open. Returns what closes it.
 */
export function openVoice(socket, { askLeave, onSwitch }) {
  const microphone = new Microphone({ socket });
  let needle = null; // moves the meter while the microphone is open
  let opening = false;

  function show(listening) {
    button.dataset.on = listening;
    button.querySelector(".name").textContent = listening ? "Stop listening" : "Listen";
    clearInterval(needle);
    needle = listening ? setInterval(() => showLevel(microphone.level()), METER_PAUSE) : null;
    if (!listening) showLevel(QUIET);
    onSwitch(listening);
  }

  function stop(reason = invitation) {
    microphone.stop();
    socket.emit("forget", "speech");
    show(false);
    tell(told, reason, { aloud: reason !== invitation });
  }

  async function start() {
    opening = true;
    try {
      if ((await askLeave()) !== "yes") {
        tell(told, CLOSED, { aloud: true });
        return;
      }
      await microphone.start();
    } catch (error) {
      if (!(error instanceof MicrophoneRefused)) throw error;
      tell(told, error.message || invitation, { aloud: true });
      return;
    } finally {
      opening = false;
    }
    show(true);
    tell(told, WORDS.listening, { aloud: true });
  }

  microphone.onHeard = ({ state, reading }) => {
    if (reading) tell(told, `Hearing you: you sound ${feeling(reading.label)}.`);
    else if (state !== "speech") tell(told, WORDS[state]);
  };
  microphone.onTrouble = (words) => tell(told, words, { aloud: true });
  microphone.onEnd = stop;
  button.addEventListener("click", () => {
    if (needle !== null) stop();
    else if (!opening) start();
  });
  return () => needle !== null && stop();
}

function showLevel(decibels) {
  const share = Math.min(Math.max(1 - decibels / QUIET, 0), 1);
  meter.setAttribute("aria-valuenow", Math.round(share * 100));
  meter.firstElementChild.style.transform = `translateX(${(share - 1) * 100}%)`;
}
