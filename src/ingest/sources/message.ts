/** A message from a source; see take-messages.ts. */
export interface Message {
  readonly payload: Uint8Array;
  /** Its origin, for people: `stream CDR, message 17`. */
  readonly place: string;
}

/** A record, or a whole message, that cannot be stored. */
export interface Rejected {
  readonly place: string;
  /** JSON pointer into the record; empty: the record as a whole. */
  readonly path: string;
  readonly message: string;
  /** The record or the message as it came. */
  readonly text: string;
}
