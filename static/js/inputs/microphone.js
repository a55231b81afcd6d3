// The visitor's microphone: sends quarter-second packets to the server, each after the previous one was acknowledged.

/** @import { AudioAck } from "../messages.js" */
/** @import { ServerSocket } from "../types/socket.js" */

const WORKLET = new URL("pcm_worklet.js", import.meta.url);
const MAX_QUEUED_PACKETS = 4; // one second: older sound is dropped on a slow connection
const ANSWER_TIMEOUT_MS = 10_000; // the first answer may have to wait until the server has loaded its model
const MIN_LEVEL_DB = -96; // of full scale
/** @type {Record<string, string>} */
const ERROR_MESSAGES = {
  NotAllowedError: "Microphone access was denied. Allow it in the address bar, then press Listen again, or write instead.",
  NotFoundError: "This device has no microphone. Connect one, then press Listen again, or write instead.",
  NotReadableError: "The microphone is in use. Close other programs that use it, then press Listen again.",
};

/** The microphone cannot be opened; the message, written for the visitor, says why, and is empty if stop() was called meanwhile. */
export class MicrophoneUnavailableError extends Error {}

/** @param {unknown} error */
const errorName = (error) => (error instanceof Error ? error.name : String(error));

export class Microphone {
  /** Receives the server's answer to each packet. @type {(answer: AudioAck) => void} */
  onAnswer = () => {};
  /** Receives the reason, in words, if sound cannot be read; sending continues. @type {(message: string) => void} */
  onError = () => {};
  /** Receives the reason, in words, if the microphone was disconnected. @type {(message: string) => void} */
  onEnd = () => {};

  #socket;
  /** @type {MediaStream | null} */
  #media = null;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {AnalyserNode | null} */
  #analyser = null;
  /** @type {ArrayBuffer[]} */
  #queue = []; // packets, oldest first
  #sending = false;
  #run = 0; // counts starts: results of earlier starts are dropped

  /** @param {{ socket: ServerSocket }} options */
  constructor({ socket }) {
    this.#socket = socket;
  }

  /** Open the microphone and start sending. Throws MicrophoneUnavailableError. */
  async start() {
    this.stop();
    const run = this.#run;
    if (!navigator.mediaDevices) {
      throw new MicrophoneUnavailableError(
        "Browsers open a microphone only on https:// pages and localhost. Open the page there, or write instead.",
      );
    }
    let media;
    try {
      // Noise suppression and gain control, made for calls, would remove the color of the voice. Echo cancellation keeps out
      // what this device plays.
      media = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: false, autoGainControl: false },
      });
    } catch (error) {
      const name = errorName(error);
      throw new MicrophoneUnavailableError(
        ERROR_MESSAGES[name] ?? `The microphone cannot be opened (${name}). Try again, or write instead.`,
      );
    }
    if (run !== this.#run) {
      for (const track of media.getTracks()) track.stop();
      throw new MicrophoneUnavailableError("");
    }
    this.#media = media;
    media.getAudioTracks()[0].addEventListener("ended", () => {
      if (this.#media === media) this.onEnd("Your microphone was disconnected. Connect it, then press Listen again.");
    });
    try {
      await this.#record(media, new AudioContext(), run);
    } catch (error) {
      if (run === this.#run) this.stop();
      throw new MicrophoneUnavailableError(
        `This browser cannot record sound (${errorName(error)}). Try another browser, or write instead.`,
      );
    }
  }

  /**
   * @param {MediaStream} media
   * @param {AudioContext} context
   * @param {number} run
   */
  async #record(media, context, run) {
    this.#context = context;
    await context.audioWorklet.addModule(WORKLET);
    await context.resume();
    this.#analyser = context.createAnalyser();
    const writer = new AudioWorkletNode(context, "pcm-writer", { numberOfOutputs: 0 });
    writer.port.onmessage = ({ data }) => {
      if (run === this.#run) this.#enqueue(data, run);
    };
    const source = context.createMediaStreamSource(media);
    source.connect(this.#analyser);
    source.connect(writer);
  }

  /** Close the microphone; its light goes out. */
  stop() {
    this.#run += 1;
    for (const track of this.#media?.getTracks() ?? []) track.stop();
    this.#context?.close();
    this.#media = this.#context = this.#analyser = null;
    this.#queue = [];
  }

  /** Return the current level in dB of full scale. */
  level() {
    if (!this.#analyser) return MIN_LEVEL_DB;
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    return Math.max(10 * Math.log10(power), MIN_LEVEL_DB);
  }

  /**
   * @param {ArrayBuffer} packet
   * @param {number} run
   */
  async #enqueue(packet, run) {
    this.#queue.push(packet);
    if (this.#queue.length > MAX_QUEUED_PACKETS) this.#queue.shift();
    if (this.#sending) return;
    this.#sending = true;
    while (run === this.#run && this.#socket.connected) {
      const next = this.#queue.shift();
      if (!next) break;
      await this.#sendPacket(next, run);
    }
    this.#sending = false;
  }

  /**
   * @param {ArrayBuffer} packet
   * @param {number} run
   */
  async #sendPacket(packet, run) {
    let answer;
    try {
      answer = await this.#socket.timeout(ANSWER_TIMEOUT_MS).emitWithAck("audio", packet);
    } catch {
      if (run === this.#run && this.#socket.connected) this.onError("The server is slow to answer. Still listening …");
      return;
    }
    if (run !== this.#run) return;
    if (answer.error !== undefined) this.onError(answer.error);
    else this.onAnswer(answer);
  }
}
