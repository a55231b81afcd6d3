// Converts the sample rate of a stream of sound.
//
// Each output sample is a windowed sinc over the input samples around it (J. O. Smith, "Digital Audio Resampling", CCRMA): a
// low-pass filter that passes what both rates can represent, so that higher frequencies do not alias into the voice.

const ZERO_CROSSINGS = 16; // of the sinc on each side: a tenth above the pass band, attenuation is 60 dB
const PASS_BAND = 0.92; // of the lower Nyquist frequency: 7.4 kHz at 16 kHz, above what a voice has
const PHASES = 256; // positions between two input samples: the error of rounding to them is 50 dB below the signal at its highest

export class Resampler {
  #step; // input samples from one output sample to the next
  #half; // input samples that count, on each side
  #phases; // for each position between two input samples, the weights of the 2 * half samples around it
  #input; // samples that further output still needs
  #position; // of the next output sample in #input

  /**
   * @param {number} from sample rate of the input, in Hz
   * @param {number} to sample rate of the output, in Hz
   */
  constructor(from, to) {
    this.#step = from / to;
    const width = PASS_BAND * Math.min(1, to / from);
    const half = Math.ceil(ZERO_CROSSINGS / width);
    this.#half = half;
    this.#phases = Array.from({ length: PHASES + 1 }, (_, phase) => filterWeights(phase / PHASES, width, half));
    this.#input = new Float32Array(half); // silence before the first sample
    this.#position = half;
  }

  /**
   * Add input samples and return the output samples that they complete.
   * @param {Float32Array} samples
   * @returns {Float32Array}
   */
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

/**
 * Return the weights of the samples from half − 1 before to half after, for a position `fraction` behind the middle one.
 * @param {number} fraction
 * @param {number} width
 * @param {number} half
 */
function filterWeights(fraction, width, half) {
  const taps = Float64Array.from({ length: 2 * half }, (_, k) => {
    const distance = k - (half - 1) - fraction;
    const angle = Math.PI * width * distance;
    const hann = Math.cos((Math.PI * distance) / (2 * half)) ** 2;
    return (distance === 0 ? 1 : Math.sin(angle) / angle) * hann;
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return taps.map((tap) => tap / sum); // a constant signal keeps its level
}
