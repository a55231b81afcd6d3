// Audio worklet: converts the microphone's sound to mono 16-bit samples at 16 kHz and posts them in packets.

import { Resampler } from "./resampler.js";

const SAMPLE_RATE = 16_000; // Hz, as the server expects
const PACKET_SAMPLES = SAMPLE_RATE / 4;
const FULL_SCALE = 32_768;

class PcmWriter extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate, SAMPLE_RATE);
  #packet = new Int16Array(PACKET_SAMPLES); // little-endian on every machine that runs a browser
  #filled = 0;

  /** @param {Float32Array[][]} inputs */
  process([channels]) {
    if (channels.length === 0) return true; // the microphone has not started yet
    const mono = channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
    for (const sample of this.#resampler.push(mono)) {
      this.#packet[this.#filled] = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(sample * FULL_SCALE)));
      this.#filled += 1;
      if (this.#filled === PACKET_SAMPLES) {
        this.port.postMessage(this.#packet.buffer, [this.#packet.buffer]);
        this.#packet = new Int16Array(PACKET_SAMPLES);
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("pcm-writer", PcmWriter);
