// The offset between the server's clock and this device's.

const CLOCK_STEP_SECONDS = 30; // no message is delayed that long: a clock was set, or another server answers

export class ServerClock {
  /** Seconds to add to a time of the server's clock for a time of this device's clock; Infinity before the first message. */
  offset = Infinity;

  /**
   * Learn from a message: the one with the shortest delay shows the offset best, so the smallest difference counts.
   * @param {number} serverTime when the message was sent, in seconds by the server's clock
   * @param {number} now when it arrived, in seconds by this device's clock
   */
  update(serverTime, now) {
    const difference = now - serverTime;
    if (difference < this.offset || difference > this.offset + CLOCK_STEP_SECONDS) this.offset = difference;
  }
}
