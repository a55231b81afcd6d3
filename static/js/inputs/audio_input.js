// The voice section of the page: start and stop the microphone, show its level and what the voice sounds like.

/** @import { ServerSocket } from "../types/socket.js" */

import { byId, query } from "../dom.js";
import { setStatus } from "../live_region.js";
import { adjective } from "../mood/mood_view.js";
import { Microphone, MicrophoneUnavailableError } from "./microphone.js";

const button = byId("microphone-toggle", HTMLButtonElement);
const buttonName = query(button, ".name", HTMLElement);
const meter = byId("level-meter", HTMLElement);
const meterFill = query(meter, ".meter-fill", HTMLElement);
const status = byId("audio-status", HTMLElement);
const instructions = status.textContent ?? "";
const METER_PAUSE_MS = 100; // as fast as the eye follows
const MIN_SHOWN_DB = -60; // of full scale: a quiet room; the meter's left end
const CONSENT_DECLINED = "The microphone stays off. Write instead, or choose a mood yourself.";
const STATE_TEXTS = {
  listening: "Listening …",
  silence: "Silence. Say something: a sentence is enough.",
};

/**
 * Set up the voice section. `askConsent` resolves to "yes" if the microphone may be opened; `onSwitch` receives whether it is open.
 * @param {ServerSocket} socket
 * @param {{ askConsent: () => Promise<string>, onSwitch: (open: boolean) => void }} options
 * @returns {() => void} closes the microphone
 */
export function openAudioInput(socket, { askConsent, onSwitch }) {
  const microphone = new Microphone({ socket });
  let meterTimer = 0; // not 0 while the microphone is open
  let opening = false;

  /** @param {boolean} open */
  function show(open) {
    button.dataset.on = String(open);
    buttonName.textContent = open ? "Stop listening" : "Listen";
    clearInterval(meterTimer);
    meterTimer = open ? setInterval(() => showLevel(microphone.level()), METER_PAUSE_MS) : 0;
    if (!open) showLevel(MIN_SHOWN_DB);
    onSwitch(open);
  }

  function stop(reason = instructions) {
    microphone.stop();
    socket.emit("forget", "speech");
    show(false);
    setStatus(status, reason, { announce: reason !== instructions });
  }

  async function start() {
    opening = true;
    try {
      if ((await askConsent()) !== "yes") {
        setStatus(status, CONSENT_DECLINED, { announce: true });
        return;
      }
      await microphone.start();
    } catch (error) {
      if (!(error instanceof MicrophoneUnavailableError)) throw error;
      setStatus(status, error.message || instructions, { announce: true });
      return;
    } finally {
      opening = false;
    }
    show(true);
    setStatus(status, STATE_TEXTS.listening, { announce: true });
  }

  microphone.onAnswer = ({ state, reading }) => {
    if (reading?.label) setStatus(status, `You sound ${adjective(reading.label)}.`);
    else if (state !== "speech") setStatus(status, STATE_TEXTS[state]);
  };
  microphone.onError = (message) => setStatus(status, message, { announce: true });
  microphone.onEnd = stop;
  button.addEventListener("click", () => {
    if (meterTimer) stop();
    else if (!opening) start();
  });
  return () => {
    if (meterTimer) stop();
  };
}

/** @param {number} decibels */
function showLevel(decibels) {
  const share = Math.min(Math.max(1 - decibels / MIN_SHOWN_DB, 0), 1);
  meter.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  meterFill.style.transform = `translateX(${(share - 1) * 100}%)`;
}
