/** How to go on after a message of a consumer. */
type Taken =
  | { readonly type: 'new'; readonly sequence: number }
  /** A copy of a message that was handed over, at a sequence that was not. */
  | { readonly type: 'copy'; readonly sequence: number }
  | { readonly type: 'old' };

/** Ids that are remembered: those of the last messages, many more than two replicas of a stream differ by. */
const REMEMBERED = 2_048;
/** This many messages are read again when a consumer begins, possibly on another replica. */
const OVERLAP = 16;
/** This many if replicas are known to differ; then as many as are remembered. */
const WIDE_OVERLAP = 256;

/**
 * How far a follower has come in a stream.
 *
 *  P1  Sequences that are handed over only increase.
 *  P2  If messages have ids, the ids decide which messages were handed over, not the sequences: replicas of a stream
 *      may count differently (nats-agreement.ts). A message that the last replica did not have is handed over late,
 *      under the next sequence: late is better than never.
 *  P3  A new leader may count lower than the one before, by as many messages as its replica left out. Its new messages
 *      lie before the seen ones. So a consumer begins before the leader's last message, and far enough back that its
 *      first message is one that was handed over: then none lies before that.
 */
export class Place {
  /** Everything up to this sequence was handed over, or is not asked for. */
  seen: number;
  readonly #from: number | undefined;
  readonly #known = new Map<string, number>();
  #overlap = OVERLAP;

  /** @param from the first sequence that is asked for; undefined: the follower does not need ids */
  constructor(from?: number) {
    this.#from = from;
    this.seen = (from ?? 1) - 1;
  }

  /**
   * The first sequence of the next consumer; undefined: the beginning.
   * @param last the sequence of the leader's last message, if the stream has replicas
   */
  resume(last = Number.POSITIVE_INFINITY): number | undefined {
    if (this.#from === undefined) {
      if (last < this.seen) this.differs();
      return this.seen > 0 ? this.seen + 1 : undefined;
    }
    return Math.max(this.#from, Math.min(this.seen, last) + 1 - this.#overlap);
  }

  /** P3: false when the next consumer must begin further back, and this one must not be read. Ask with its first message. */
  joins(sequence: number, id: string | undefined): boolean {
    if (this.#from === undefined || !id || this.#known.has(id)) return true;
    if (sequence > this.seen || sequence <= this.#from || this.#overlap === REMEMBERED) return true;
    this.#overlap = this.#overlap < WIDE_OVERLAP ? WIDE_OVERLAP : REMEMBERED;
    return false;
  }

  take(sequence: number, id: string | undefined): Taken {
    const isLater = sequence > this.seen;
    if (this.#from !== undefined && sequence < this.#from) return { type: 'old' };
    if (this.#from === undefined || !id) {
      if (!isLater) return { type: 'old' };
    } else if (this.#known.has(id)) {
      if (!isLater) return { type: 'old' };
      this.seen = sequence;
      return { type: 'copy', sequence };
    } else this.#remember(id, sequence);
    this.#overlap = OVERLAP;
    this.seen = Math.max(sequence, this.seen + 1);
    return { type: 'new', sequence: this.seen };
  }

  /** The replica that was followed differs from the leader. */
  differs(): void {
    this.#overlap = WIDE_OVERLAP;
    // Every document is reported again: all documents of the replica may be wrong.
    if (this.#from === undefined) this.seen = 0;
  }

  #remember(id: string, sequence: number): void {
    this.#known.set(id, sequence);
    if (this.#known.size <= REMEMBERED) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
