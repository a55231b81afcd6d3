// Connects the parts of the page with each other and with the server.

import { openConnection } from "./connection.js";
import { askConsent, withdrawConsent } from "./consent.js";
import { openHelpNotice } from "./help_notice.js";
import { openAudioInput } from "./inputs/audio_input.js";
import { openFileInput } from "./inputs/file_input.js";
import { openTextInput } from "./inputs/text_input.js";
import { Mirror } from "./mirror.js";
import { openMoodChoice } from "./mood/mood_choice.js";
import { openMoodHistory } from "./mood/mood_history.js";
import { showMood } from "./mood/mood_view.js";
import { openRecordingIndicator } from "./recording_indicator.js";
import { openPreferences } from "./tables/preferences.js";
import { openTables } from "./tables/recommendation_tables.js";
import { openSavedItems } from "./tables/saved_items.js";
import { openSpotify } from "./tables/spotify.js";

const EVERYTHING_STOPPED = "Everything is stopped, and what was read from your face and voice is deleted.";

const socket = openConnection();
const showOpen = openRecordingIndicator(stopEverything);
const stopAudio = openAudioInput(socket, {
  askConsent: () => askConsent("microphone"),
  onSwitch: (open) => showOpen("microphone", open),
});
const help = openHelpNotice(socket);
const textInput = openTextInput(socket);
const file = openFileInput(socket, {
  onPreview: (name) => mirror.showFile(name),
  onMoodSet: () => moodChoice.show(null, false),
  onMoodCleared: () => moodChoice.choose(null),
  onStatement: help.showStatement,
});
const moodChoice = openMoodChoice(socket, { onChoose: file.releaseMood, onClear: file.remove });
const mirror = new Mirror(socket, { removeFile: file.remove, showOpen });
const showMoodInHistory = openMoodHistory(socket);
const sendPreferences = openPreferences(socket);
const tables = openTables(socket);
openSavedItems(socket);
openSpotify(socket, sendPreferences);

/** Close all cameras and the microphone, and ask for consent again before one is opened. */
function stopEverything() {
  withdrawConsent();
  stopAudio();
  file.remove();
  if (mirror.isCameraOpen) mirror.stop();
  mirror.showMessage(EVERYTHING_STOPPED);
  mirror.focus();
}

// The server stores nothing of a connection that ended: send everything again.
socket.on("connect", () => {
  help.resend();
  mirror.resume();
  moodChoice.resend();
  textInput.send();
  sendPreferences();
});
socket.on("mood", (mood) => {
  tables.setMoodKnown(mood.name !== null);
  showMood(mood);
  textInput.showMood(mood);
  showMoodInHistory(mood);
});
socket.on("low", help.showLow);
socket.on("help", help.show);
socket.on("recommendations", tables.show);
