/**
 * Judges the order in which one data stream's records arrive while its sender is killed and started again.
 *
 *  A1  The log has one order, in which the requests of a lane stand as they were sent. The first arrivals show it.
 *  A2  An arrival goes on just after the one before: nothing is skipped, nothing comes twice …
 *  A3  … except that the first one after a crash may go back: then the same records come again, in the same order. So
 *      what comes twice is the end of what had arrived before the crash, without a gap.
 *  A4  It never goes back behind where an earlier start went on: the committed cursor only moves forward.
 */
export class ArrivalOrder {
  /** What broke the rules, in words; the first few. */
  readonly faults: string[] = [];
  /** How many records came again, by crash; crashes after which nothing came again are left out. */
  readonly repeated: number[] = [];
  /** How many starts went on further than the one before: the cursor had been committed in between. */
  moved = 0;
  readonly #laneOf: (record: number) => number;
  readonly #lastOfLane = new Map<number, number>();
  /** Each record's place in the order of the log. */
  readonly #places = new Map<number, number>();
  /** Place of the next arrival. */
  #next = 0;
  /** Where the sender that runs went on: what it found committed. */
  #committed = 0;
  #restarted: 'crashed' | 'stopped' | undefined;

  constructor(laneOf: (record: number) => number) {
    this.#laneOf = laneOf;
  }

  /** Distinct records that have arrived. */
  get count(): number {
    return this.#places.size;
  }

  has(record: number): boolean {
    return this.#places.has(record);
  }

  /** The sender is gone, by a crash or having stopped in good order, and a new one will go on. */
  restarted(how: 'crashed' | 'stopped'): void {
    // A crash before anything arrived says nothing of a stop before it.
    this.#restarted = how === 'crashed' ? how : (this.#restarted ?? how);
  }

  arrive(record: number): void {
    const place = this.#places.get(record) ?? this.#places.size;
    if (this.#restarted) this.#goOn(record, place, this.#restarted);
    else if (place < this.#next) this.#fault(`record ${record} came again, and not just after a crash`);
    else if (place > this.#next) this.#fault(`${place - this.#next} were skipped before record ${record}`);
    this.#restarted = undefined;
    if (place === this.#places.size) this.#append(record);
    this.#next = place + 1;
  }

  #goOn(record: number, place: number, how: 'crashed' | 'stopped'): void {
    if (place > this.#next) this.#fault(`${place - this.#next} were skipped before record ${record}`);
    else if (place < this.#next && how === 'stopped') this.#fault(`record ${record} came again after a stop`);
    else if (place < this.#committed) {
      this.#fault(`place ${place} came again, though ${this.#committed} had been committed`);
    }
    if (place < this.#places.size) this.repeated.push(this.#places.size - place);
    if (place > this.#committed) this.moved++;
    this.#committed = place;
  }

  #append(record: number): void {
    const lane = this.#laneOf(record);
    const last = this.#lastOfLane.get(lane) ?? -1;
    if (record <= last) this.#fault(`record ${record} of lane ${lane} came after its record ${last}`);
    this.#lastOfLane.set(lane, record);
    this.#places.set(record, this.#places.size);
  }

  #fault(text: string): void {
    if (this.faults.length < 20) this.faults.push(text);
  }
}
