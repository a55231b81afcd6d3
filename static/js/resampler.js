// Brings sound from one sample rate to another, in a stream.
//
// Each output sample is a windowed sinc over its neighbours (J. O. Smith, "Digital Audio Resampling", CCRMA): a low-pass
// that lets through what both rates can hold, so that what lies above does not fold into the voice.

const ZERO_CROSSINGS = 16; // of the sinc to each side: what must not pass is 60 dB down a tenth above the edge
const PASSED = 0.92; // of the lower Nyquist frequency: 7.4 kHz at 16 kHz, more than a voice has
const PHASES = 256; // places between two input samples: rounding to them is 50 dB below the signal at its highest

export class Resampler {
  #step; // input samples from one output sample to the next
  #half; // input samples that count, to each side
  #phases; // for each place between two input samples, the weights of the 2 * half around it
  #input; // what further output still needs
  #position; // of the next output sample in #input

  constructor(from, to) {
    this.#step = from / to;
    const width = PASSED * Math.min(1, to / from);
    this.#half = Math.ceil(ZERO_CROSSINGS / width);
    this.#phases = Array.from({ length: PHASES + 1 }, (_, phase) => weights(phase / PHASES, width, this.#half));
    this.#input = new Float32Array(this.#half); // silence came before
    this.#position = this.#half;
  }

  /** Take in samples and return those that they complete, both Float32Array. */
  push(samples) {
    const input = new Float32Array(this.#input.length + samples.length);
    input.set(this.#input);
    input.set(samples, this.#input.length);
    const half = this.#half;
    const output = new Float32Array(Math.max(Math.ceil((input.length - half - this.#position) / this.#step), 0));
    for (let n = 0; n < output.length; n += 1) {
      const first = Math.floor(this.#position);
      const taps = this.#phases[Math.round((this.#position - first) * PHASES)];
      let sum = 0;
      for (let k = 0; k < taps.length; k += 1) sum += taps[k] * input[first - half + 1 + k];
      output[n] = sum;
      this.#position += this.#step;
    }
    const spent = Math.floor(this.#position) - half;
    this.#input = input.slice(spent);
    this.#position -= spent;
    return output;
  }
}

/** The weights of the samples from half − 1 before to half after, for a place `fraction` behind the middle one. */
function weights(fraction, width, half) {
  const taps = Float64Array.from({ length: 2 * half }, (_, k) => {
    const distance = k - (half - 1) - fraction;
    const angle = Math.PI * width * distance;
    const hann = Math.cos((Math.PI * distance) / (2 * half)) ** 2;
    return (distance === 0 ? 1 : Math.sin(angle) / angle) * hann;
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum); // so that a constant stays what it is
}
