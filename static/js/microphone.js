// The visitor's microphone: sound goes to the server in quarters of a second, the next one when the last was answered.

const WORKLET = new URL("pcm_worklet.js", import.meta.url);
const MOST_WAITING = 4; // packets: what a slow connection leaves behind for longer than a second is no news
const ANSWER_TIMEOUT = 10_000; // ms: the first answer may have to wait until the server's model is open
const QUIETEST = -96; // dB of full scale
const REASONS = {
  NotAllowedError: "The microphone was refused. Allow it beside the address, then press Listen again; or write instead.",
  NotFoundError: "This device has no microphone. Connect one, then press Listen again; or write instead.",
  NotReadableError: "The microphone is in use. Close other programs that use it, then press Listen again.",
};

export class MicrophoneRefused extends Error {}

export class Microphone {
  onHeard = () => {}; // the server's answer to a packet
  onTrouble = () => {}; // sound can't be read, in words; it goes on being sent
  onEnd = () => {}; // the microphone went away, in words

  #socket;
  #media = null;
  #context = null;
  #analyser = null;
  #waiting = []; // packets, oldest first
  #sending = false;
  #run = 0; // counts starts: what a former start still awaits is dropped

  constructor({ socket }) {
    this.#socket = socket;
  }

  /** Ask for the microphone and begin to send. Throws MicrophoneRefused, whose message is for the visitor. */
  async start() {
    this.stop();
    const run = this.#run;
    if (!navigator.mediaDevices) {
      throw new MicrophoneRefused("Browsers open a microphone only for https:// and localhost. Open the page there, or write instead.");
    }
    let media;
    try {
      // The voice as it is: what cleans it up for a telephone call takes its colour away. But no echo of what plays here.
      media = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: false, autoGainControl: false },
      });
    } catch (error) {
      throw new MicrophoneRefused(REASONS[error.name] ?? `The microphone can't be opened (${error.name}). Try again, or write instead.`);
    }
    if (run !== this.#run) {
      for (const track of media.getTracks()) track.stop();
      throw new MicrophoneRefused("");
    }
    this.#media = media;
    media.getAudioTracks()[0].addEventListener("ended", () => {
      if (this.#media === media) this.onEnd("Your microphone went away. Connect it, then press Listen again.");
    });
    try {
      await this.#listen(new AudioContext(), run);
    } catch (error) {
      if (run === this.#run) this.stop();
      throw new MicrophoneRefused(`This browser can't take in sound (${error.name}). Try another one, or write instead.`);
    }
  }

  async #listen(context, run) {
    this.#context = context;
    await context.audioWorklet.addModule(WORKLET);
    await context.resume();
    this.#analyser = context.createAnalyser();
    const writer = new AudioWorkletNode(context, "pcm-writer", { numberOfOutputs: 0 });
    writer.port.onmessage = ({ data }) => run === this.#run && this.#take(data, run);
    const source = context.createMediaStreamSource(this.#media);
    source.connect(this.#analyser);
    source.connect(writer);
  }

  /** Close the microphone; its light goes out. */
  stop() {
    this.#run += 1;
    for (const track of this.#media?.getTracks() ?? []) track.stop();
    this.#context?.close();
    this.#media = this.#context = this.#analyser = null;
    this.#waiting = [];
  }

  /** How loud it is at this moment, in dB of full scale. */
  level() {
    if (!this.#analyser) return QUIETEST;
    const samples = new Float32Array(this.#analyser.fftSize);
    this.#analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    return Math.max(10 * Math.log10(power), QUIETEST);
  }

  async #take(packet, run) {
    this.#waiting.push(packet);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
    if (this.#sending) return;
    this.#sending = true;
    while (run === this.#run && this.#waiting.length && this.#socket.connected) await this.#ask(this.#waiting.shift(), run);
    this.#sending = false;
  }

  async #ask(packet, run) {
    let answer;
    try {
      answer = await this.#socket.timeout(ANSWER_TIMEOUT).emitWithAck("audio", packet);
    } catch {
      if (run === this.#run && this.#socket.connected) this.onTrouble("The server is slow to answer. Still listening …");
      return;
    }
    if (run !== this.#run) return;
    if (answer.error) this.onTrouble(answer.error);
    else this.onHeard(answer);
  }
}
