// Runs beside the sound: one channel at 16 kHz, in packets of 16-bit samples, posted as their buffers.

import { Resampler } from "./resampler.js";

const RATE = 16_000; // Hz: what the server hears
const PACKET = RATE / 4; // samples
const FULL_SCALE = 32_768;

class PcmWriter extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate, RATE);
  #packet = new Int16Array(PACKET); // little-endian on every machine that runs a browser
  #filled = 0;

  process([channels]) {
    if (channels.length === 0) return true; // the microphone has not begun yet
    const mono = channels[0].map((_, i) => channels.reduce((sum, channel) => sum + channel[i], 0) / channels.length);
    for (const sample of this.#resampler.push(mono)) {
      this.#packet[this.#filled] = Math.max(-FULL_SCALE, Math.min(FULL_SCALE - 1, Math.round(sample * FULL_SCALE)));
      this.#filled += 1;
      if (this.#filled === PACKET) {
        this.port.postMessage(this.#packet.buffer, [this.#packet.buffer]);
        this.#packet = new Int16Array(PACKET);
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor("pcm-writer", PcmWriter);
