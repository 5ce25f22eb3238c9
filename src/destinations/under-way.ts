import type { Reaching } from './connections.ts';

/** A call to a receiver that is not over. */
export interface CallUnderWay {
  /** The receiver, for people. */
  readonly at: string;
  stage(): Stage;
}

/** `body`: the answer's header has arrived. */
type Stage = Reaching | 'body';

/** The calls of one destination that are not over, the oldest first. */
export type CallsUnderWay = Set<CallUnderWay>;

const WORDS: Readonly<Record<Stage, (at: string) => string>> = {
  name: (at) => `The name servers have not yet answered for the host name of ${at}.`,
  proxy: (at) => `simstream's proxy has not yet connected to ${at}.`,
  connection: (at) => `${at} has not yet accepted the connection.`,
  handshake: (at) => `${at} accepted the connection, and has not yet completed the TLS handshake.`,
  reading: (at) => `${at} accepted the connection, and has not yet read the whole request.`,
  answer: (at) => `${at} got the request, and has not yet answered.`,
  body: (at) => `${at} has begun its answer, and not yet ended it.`,
};

/** The reason why a destination waits, in plain words; undefined: no call is in flight. */
export function waitsFor(calls: CallsUnderWay): string | undefined {
  const [oldest] = calls;
  return oldest && WORDS[oldest.stage()](oldest.at);
}
