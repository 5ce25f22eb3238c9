import { createHash } from 'node:crypto';
import { StoreUnavailable } from '../../errors.ts';
import type { Clock } from '../../lib/clock.ts';
import { createKeyedQueue } from '../../lib/keyed-queue.ts';
import { documentKind } from '../../registry/documents.ts';
import { keyToken, type Registry, registryKey, type WriteOutcome } from '../../registry/registry.ts';
import { countReport, type Report, type SessionCounters, type SessionState } from './sessions.ts';

/**
 * The sessions of mappings with cumulative counters, kept in the registry of one node. Their state moves together with the
 * records that the reports become, although the registry and the record log are two stores.
 *
 *  C1  The reports of one mapping are counted one request after the other.
 *  C2  The state moves if and only if the records are stored. Before the append, the new state is written as *pending*, with
 *      the idempotency key of the append. After the append it becomes the state. A pending state whose append has an unknown
 *      outcome (a crash, a full disk) is settled before anything else of the mapping is counted: an append without records
 *      has the same key. If the log says that the key had another body, the records are stored. If not, the key is used up
 *      now, so that they will never be stored by it.
 *  C3  The state and "nothing is pending" are one write.
 *  C4  A session that was silent for KEPT_MS is forgotten. Each request checks SWEPT sessions, so that the store never
 *      has more than those of some days, and no request pays for all of them.
 *  C5  Sessions that ended are kept as long, so that a repeated last report adds nothing.
 */
export interface KeptSessions {
  /**
   * Settles pending states after a crash. For the start of a node: the log forgets keys after a day.
   * @throws StoreUnavailable
   */
  settle(append: Append): Promise<void>;
  /**
   * Runs `task` when it is the mapping's turn (C1).
   * @throws StoreUnavailable, and the errors of `task`
   */
  inTurn<Result>(mapping: string, append: Append, task: (turn: Turn) => Promise<Result>): Promise<Result>;
}

/** Appends a body of records, one a line, under an idempotency key. */
type Append = (body: Uint8Array, key: string) => Promise<AppendedRecords>;

/** `invalid`: nothing is stored. `mismatch`: the key had another body. Others: unknown. */
type AppendedRecords = { readonly type: 'accepted' | 'invalid' | 'mismatch' | 'busy' };

interface Turn {
  /** The sessions as they are stored, to count a request with. */
  begin(): CountedSessions;
  /**
   * Stores records and, if they are stored, the new counters.
   * @throws StoreUnavailable
   */
  store<Outcome extends AppendedRecords>(
    sessions: CountedSessions,
    append: (key: string) => Promise<Outcome>,
  ): Promise<Outcome>;
  /**
   * Stores the counters of reports that add nothing.
   * @throws StoreUnavailable
   */
  storeAlone(sessions: CountedSessions): Promise<void>;
}

/** A request has reports of more than MOST_COUNTED sessions. */
export class TooManySessions extends Error {
  constructor() {
    super(`it has reports of more than ${MOST_COUNTED} sessions: send them in several requests`);
    this.name = 'TooManySessions';
  }
}

/** Their states are one document of about 1.5 MB and some milliseconds of the event loop. */
export const MOST_COUNTED = 5_000;
/** As long as records are kept by default: a device that is silent for a week has a new session. */
const KEPT_MS = 7 * 86_400_000;
const SWEPT = 32;

interface SessionDocument extends SessionState {
  /** When the node received the last report of it; ms since the epoch. */
  readonly heard: number;
}

interface PendingDocument {
  /** The key of the append; undefined: nothing is pending. */
  readonly key?: string;
  /** How many appends the mapping had: part of the key. */
  readonly number: number;
  /** The new content of documents, by key. */
  readonly sessions: readonly (readonly [string, SessionDocument])[];
}

const SESSION = documentKind<SessionDocument>({ prefix: 'counters' });
const PENDING = documentKind<PendingDocument>({ prefix: 'counters-pending' });
const NOTHING = Buffer.alloc(0);

const pendingKey = (mapping: string) => registryKey(PENDING.prefix, keyToken(mapping));
const sessionKey = (mapping: string, session: string) =>
  registryKey(
    SESSION.prefix,
    keyToken(mapping),
    createHash('sha256').update(session).digest('hex').slice(0, 32),
  );

/** The sessions of one request: read from the registry, and counted on in memory. */
export class CountedSessions implements SessionCounters {
  readonly changed = new Map<string, SessionState>();
  readonly #known = new Map<string, SessionState | undefined>();
  readonly #read: (session: string) => Promise<SessionState | undefined>;

  constructor(read: (session: string) => Promise<SessionState | undefined>) {
    this.#read = read;
  }

  /**
   * Call it before the report of the session.
   * @throws TooManySessions, StoreUnavailable
   */
  async load(session: string | undefined): Promise<void> {
    if (session === undefined || this.#known.has(session)) return;
    if (this.#known.size >= MOST_COUNTED) throw new TooManySessions();
    this.#known.set(session, await this.#read(session));
  }

  report(session: string, report: Report) {
    if (!this.#known.has(session)) throw new Error('the session was not loaded');
    const { slice, after } = countReport(this.#known.get(session), report);
    this.#known.set(session, after);
    this.changed.set(session, after);
    return slice;
  }
}

export function createKeptSessions(registry: Registry, clock: Clock): KeptSessions {
  const queue = createKeyedQueue<string>();
  let swept: string | undefined;

  const pendingOf = async (mapping: string): Promise<PendingDocument> =>
    (await PENDING.get(registry, pendingKey(mapping)))?.document ?? { number: 0, sessions: [] };

  /** C3 */
  const apply = async (key: string, number: number, sessions: PendingDocument['sessions']): Promise<void> => {
    const outcomes = await registry.putMany([
      ...sessions.map(([own, state]) => SESSION.write(own, state)),
      PENDING.write(key, { number, sessions: [] }),
    ]);
    outcomes.forEach(mustBeStored);
  };

  /**
   * C2.
   * @returns how many appends there were
   */
  const settle = async (key: string, pending: PendingDocument, append: Append): Promise<number> => {
    const { number, sessions } = pending;
    if (pending.key === undefined) return number;
    const outcome = await append(NOTHING, pending.key);
    if (outcome.type !== 'mismatch' && outcome.type !== 'accepted')
      throw new StoreUnavailable('The record log does not answer whether the last reports are stored.');
    await apply(key, number, outcome.type === 'mismatch' ? sessions : []);
    return number;
  };

  /** C4 */
  const sweep = async (): Promise<void> => {
    const old: Promise<WriteOutcome>[] = [];
    let looked = 0;
    let last: string | undefined;
    for await (const entry of registry.list(SESSION.prefix, { from: swept, page: SWEPT })) {
      last = entry.key;
      if (looked++ >= SWEPT) break;
      // A session with a report meanwhile has another revision, and stays.
      if (SESSION.parse(entry.value).heard < clock.now() - KEPT_MS)
        old.push(registry.delete(entry.key, entry.revision));
    }
    swept = looked > SWEPT ? last : undefined;
    await Promise.all(old);
  };

  const turnOf = (mapping: string, before: number): Turn => {
    const key = pendingKey(mapping);
    let number = before;
    const statesOf = ({ changed }: CountedSessions): PendingDocument['sessions'] =>
      [...changed].map(([session, state]) => [
        sessionKey(mapping, session),
        { ...state, heard: clock.now() },
      ]);
    return {
      begin: () =>
        new CountedSessions(
          async (session) => (await SESSION.get(registry, sessionKey(mapping, session)))?.document,
        ),
      store: async (counted, append) => {
        const sessions = statesOf(counted);
        number++;
        // The time makes it unique even after a restored backup, whose number is an old one.
        const own = `counters ${mapping} ${number} ${clock.now()}`;
        mustBeStored(await PENDING.put(registry, key, { key: own, number, sessions }));
        const outcome = await append(own);
        if (outcome.type === 'accepted') await apply(key, number, sessions);
        else if (outcome.type === 'invalid') await apply(key, number, []);
        await sweep();
        return outcome;
      },
      storeAlone: async (counted) => {
        if (counted.changed.size > 0) await apply(key, number, statesOf(counted));
      },
    };
  };

  return {
    settle: async (append) => {
      for await (const { key, document } of PENDING.list(registry)) await settle(key, document, append);
    },
    inTurn: (mapping, append, task) =>
      queue.run(mapping, async () =>
        task(turnOf(mapping, await settle(pendingKey(mapping), await pendingOf(mapping), append))),
      ),
  };
}

function mustBeStored(outcome: WriteOutcome): void {
  if (outcome.type === 'stored') return;
  throw new StoreUnavailable(
    outcome.type === 'unavailable' ? outcome.cause : 'Another process writes the counters of sessions.',
  );
}
