import type { Clock } from '../lib/clock.ts';

/**
 * Bounds the bytes of record bodies that a node holds at once, from the first byte that is read until the answer.
 *
 *  A1  All bodies together hold at most `most` bytes, with two exceptions: a single body of any size is admitted, and
 *      the oldest of the large ones may always grow. So one of them always completes, and all do in turn.
 *  A2  A small body that does not fit is refused at once: memory stays bounded, and the producer holds the backlog in place of
 *      the node.
 *  A3  A large body that does not fit may wait with its bytes. If it were refused half-way, it would be sent again from
 *      its beginning, and meet others as large as before. The oldest goes on first. A body is large if its length is
 *      announced so, or as soon as it is.
 *  A5  Large bodies leave some room to small ones, which those have also while the oldest large one exceeds the bound.
 *  A4  Nothing waits longer than WAIT_MS.
 */
export class Admission {
  readonly #most: number;
  readonly #clock: Clock;
  /** In the order in which they were opened. */
  readonly #tickets = new Set<Ticket>();
  readonly #waiting = new Map<Ticket, Waiting>();
  #held = 0;

  /** @param most bytes */
  constructor(most: number, clock: Clock) {
    this.#most = most;
    this.#clock = clock;
  }

  get held(): number {
    return this.#held;
  }

  /** Bodies that wait for room. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Admits `bytes`; undefined if there is no room. The caller releases the ticket. */
  take(bytes: number): Ticket | undefined {
    const ticket = this.open();
    if (ticket.resize(bytes)) return ticket;
    ticket.release();
    return undefined;
  }

  /**
   * A ticket for 0 bytes that grows with the bytes that arrive. The caller releases it.
   * @param announced the length of the body, if it is known
   */
  open(announced = 0): Ticket {
    const ticket = new Ticket(announced > LARGE, {
      resize: (bytes) => this.#resize(ticket, bytes),
      wait: (bytes) => this.#wait(ticket, bytes),
      shrunk: () => this.#serve(),
      release: () => this.#release(ticket),
    });
    this.#tickets.add(ticket);
    return ticket;
  }

  #resize(ticket: Ticket, bytes: number): boolean {
    const change = bytes - ticket.bytes;
    if (change > 0 && !this.#fits(ticket, bytes)) return false;
    this.#held += change;
    return true;
  }

  /** A1, A3, A5 */
  #fits(ticket: Ticket, bytes: number): boolean {
    const others = this.#held - ticket.bytes;
    if (others === 0) return true;
    const forSmall = Math.min(FOR_SMALL, this.#most / 8);
    if (!ticket.isLarge(bytes))
      return others + bytes <= this.#most || this.#heldBySmall(ticket) + bytes <= forSmall;
    if (this.#isOldestLarge(ticket)) return true;
    return this.#isNext(ticket) && others + bytes <= this.#most - forSmall;
  }

  /** The bytes that small bodies hold beside this one. */
  #heldBySmall(ticket: Ticket): number {
    let held = 0;
    for (const other of this.#tickets) if (other !== ticket && !other.isLarge()) held += other.bytes;
    return held;
  }

  #isOldestLarge(ticket: Ticket): boolean {
    for (const other of this.#tickets) if (other === ticket || other.bytes > LARGE) return other === ticket;
    return false;
  }

  /** Whether no older one waits. */
  #isNext(ticket: Ticket): boolean {
    for (const other of this.#tickets)
      if (other === ticket || this.#waiting.has(other)) return other === ticket;
    return false;
  }

  #wait(ticket: Ticket, bytes: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(WAIT_MS, () => this.#end(ticket, false));
      this.#waiting.set(ticket, { bytes, cancel, resolve });
    });
  }

  #end(ticket: Ticket, admitted: boolean): void {
    const waiting = this.#waiting.get(ticket);
    if (!waiting) return;
    this.#waiting.delete(ticket);
    waiting.cancel();
    waiting.resolve(admitted);
  }

  #release(ticket: Ticket): void {
    this.#tickets.delete(ticket);
    this.#end(ticket, false);
    this.#serve();
  }

  /** Admits waiting bodies that now fit. */
  #serve(): void {
    if (this.#waiting.size === 0) return;
    for (const ticket of this.#tickets) {
      const waiting = this.#waiting.get(ticket);
      if (!waiting) continue;
      if (!ticket.resize(waiting.bytes)) return;
      this.#end(ticket, true);
    }
  }
}

interface Waiting {
  readonly bytes: number;
  readonly cancel: () => void;
  readonly resolve: (admitted: boolean) => void;
}

interface TicketCalls {
  resize(bytes: number): boolean;
  wait(bytes: number): Promise<boolean>;
  shrunk(): void;
  release(): void;
}

/** A body up to this is small: a thousand records. */
export const LARGE = 2 ** 20;
/** For small bodies only: one on each of eight connections. */
const FOR_SMALL = 8 * 2 ** 20;
/** Producers give up after 30 s or later. */
export const WAIT_MS = 25_000;

export class Ticket {
  #bytes = 0;
  readonly #announcedLarge: boolean;
  readonly #calls: TicketCalls;

  constructor(announcedLarge: boolean, calls: TicketCalls) {
    this.#announcedLarge = announcedLarge;
    this.#calls = calls;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Changes the ticket to `bytes`; false if there is no room, and then the ticket does not change. */
  resize(bytes: number): boolean {
    if (!this.#calls.resize(bytes)) return false;
    const shrunk = bytes < this.#bytes;
    this.#bytes = bytes;
    if (shrunk) this.#calls.shrunk();
    return true;
  }

  /** Whether it is a large body's, with so many bytes. */
  isLarge(bytes = this.#bytes): boolean {
    return this.#announcedLarge || bytes > LARGE;
  }

  /** The same, but a large body waits for room. A promise is false if it got no room or was released. */
  grow(bytes: number): boolean | Promise<boolean> {
    if (this.resize(bytes)) return true;
    return this.isLarge(bytes) && this.#calls.wait(bytes);
  }

  release(): void {
    this.resize(0);
    this.#calls.release();
  }
}
