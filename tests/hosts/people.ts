import { setTimeout as sleep } from 'node:timers/promises';
import { createApiClient, usageWebhook } from '../support/api-client.ts';
import { recordOf } from '../support/cluster-load.ts';
import { OPERATOR_TOKEN } from '../support/node-process.ts';
import { type Receiver, startReceiver } from '../support/receiver.ts';
import { waitFor } from '../support/wait-for.ts';

/** What people do, and what must have become of it. */
interface Scene {
  act(): Promise<void>;
  /** Throws what is not as it should be. */
  verify(): Promise<void>;
}

/** By what people do: prepares it. */
export type Scenes = Readonly<Record<string, (people: People) => Promise<Scene>>>;

/** What became of a call: it is done; the node says that it cannot now; or nobody knows, because the answer was lost. */
type Outcome = 'done' | 'busy' | 'unknown';

interface Called {
  readonly outcome: Outcome;
  readonly status: number;
  readonly text: string;
  readonly location: string;
}

interface Received {
  readonly path: string;
  readonly id: number;
  /** Of the replay that sent it. */
  readonly replay: string | undefined;
}

/** A node answers within ten seconds after the last step that its storage answered; calls take several steps, on a busy machine. */
const WITHIN_MS = 60_000;
/** Of `recordOf`: far from the organisations of the load. */
const FIRST = 1_000_000;
const FIRST_ORGANISATION = 2_000_001;
const BETWEEN_MS = 200;

/**
 * People who call the API while something is wrong, each at a node by chance. Each scene prepares what it needs in peace, makes its
 * calls while something is wrong or just after, and looks at the end whether every node says the same, whether what was
 * answered as done is done, and whether nothing is done by half.
 */
export class People {
  /** Calls while something was wrong, by outcome. */
  readonly calls: Record<Outcome, number> = { done: 0, busy: 0, unknown: 0 };
  slowestMs = 0;
  readonly received: Received[] = [];
  /** Records that the receiver refuses. */
  readonly refused = new Set<number>();
  readonly random: () => number;
  readonly #all: Scenes;
  readonly #nodes: () => readonly string[];
  readonly #address: string;
  #receiver: Receiver | undefined;
  #last = -1;
  #records = 0;
  #scenes: { readonly name: string; readonly scene: Scene; acting: Promise<void> }[] = [];
  #faults: string[] = [];

  constructor(scenes: Scenes, nodes: () => readonly string[], address: string, random: () => number) {
    this.#all = scenes;
    this.#nodes = nodes;
    this.#address = address;
    this.random = random;
  }

  async begin(): Promise<void> {
    this.#receiver = await startReceiver(({ path, body, headers }) => {
      const records = JSON.parse(body.toString()) as { id: number }[];
      if (records.some(({ id }) => this.refused.has(id))) return { status: 422, body: 'no such field' };
      const replay = headers['simstream-replay'] as string | undefined;
      for (const { id } of records) this.received.push({ path, id, replay });
      return { status: 200 };
    }, this.#address);
  }

  async end(): Promise<void> {
    await this.#receiver?.close();
  }

  /** In peace. */
  async prepare(): Promise<void> {
    this.#scenes = await Promise.all(
      Object.entries(this.#all).map(async ([name, prepare]) => ({
        name,
        scene: await prepare(this),
        acting: Promise.resolve(),
      })),
    );
  }

  /** From now on, and over so many milliseconds, each scene makes its calls. */
  act(overMs: number): void {
    for (const one of this.#scenes)
      one.acting = sleep(this.random() * overMs)
        .then(() => one.scene.act())
        .catch((error: unknown) => this.#fault(one.name, error));
  }

  /** When all is calm again. @returns what is not as it should be */
  async verify(): Promise<string[]> {
    await Promise.all(
      this.#scenes.map(async ({ name, scene, acting }) => {
        await acting;
        await scene.verify().catch((error: unknown) => this.#fault(name, error));
      }),
    );
    this.#scenes = [];
    return this.#faults.splice(0);
  }

  #fault(name: string, error: unknown): void {
    this.#faults.push(`${name}: ${error instanceof Error ? error.message : error}`);
  }

  url(path: string): string {
    return `${this.#receiver?.url}${path}`;
  }

  /** An organisation with a token, and the number that its records and paths have. */
  async organisation(): Promise<{ readonly id: number; readonly token: string; readonly number: number }> {
    const number = ++this.#last;
    const id = FIRST_ORGANISATION + number;
    const api = createApiClient(this.#nodes()[0] as string);
    await api.createOrganisation(id, `People ${number}`);
    return { id, number, token: await api.authenticate(id) };
  }

  async stream(token: string, path: string): Promise<string> {
    const api = createApiClient(this.#nodes()[0] as string);
    return `/api/v2/data_stream/${await api.createStream(token, usageWebhook(path, this.url(path)))}`;
  }

  /** Stores a record of an organisation; again until it is acknowledged. @returns its id */
  async record(number: number, isRefused = false): Promise<number> {
    const id = ++this.#records;
    if (isRefused) this.refused.add(id);
    const key = `people-${id}`;
    await this.untilDone(
      'POST',
      '/operator/v1/records/usage',
      OPERATOR_TOKEN,
      [recordOf(FIRST + number, id)],
      {
        'idempotency-key': key,
      },
    );
    return id;
  }

  /** Resolves when a record has arrived at a path. */
  arrived(id: number, path: string, replay?: string): Promise<true> {
    const isIt = (one: Received) => one.id === id && one.path === path && (!replay || one.replay === replay);
    return waitFor(
      () => `record ${id} arrives at ${path}; it came to ${JSON.stringify(this.of(id))}`,
      () => this.received.some(isIt) || undefined,
      WITHIN_MS,
      50,
    );
  }

  of(id: number): Received[] {
    return this.received.filter((one) => one.id === id);
  }

  /** A call while something may be wrong, at a node by chance. */
  async call(method: string, path: string, token: string, body?: unknown): Promise<Called> {
    const called = await this.#call(method, path, token, body);
    this.calls[called.outcome]++;
    return called;
  }

  async #call(
    method: string,
    path: string,
    token: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Called> {
    const nodes = this.#nodes();
    const api = createApiClient(nodes[Math.floor(this.random() * nodes.length)] as string);
    const started = performance.now();
    for (;;) {
      const answer = await api.call(method, path, token, body, headers).catch((error: unknown) => {
        if (String(error).includes('no answer')) throw error;
        return undefined;
      });
      this.slowestMs = Math.max(this.slowestMs, performance.now() - started);
      if (!answer) return { outcome: 'unknown', status: 0, text: '', location: '' };
      const { status, text } = answer;
      const called = { status, text, location: answer.headers.get('location') ?? '' };
      if (status < 300) return { outcome: 'done', ...called };
      if (status === 503 && answer.headers.get('retry-after')) return { outcome: 'busy', ...called };
      if (status !== 429) throw new Error(`${method} ${path}: ${status}: ${text}`);
      await sleep(BETWEEN_MS);
    }
  }

  /** Makes a call again until it is done. */
  async untilDone(
    method: string,
    path: string,
    token: string,
    body?: unknown,
    headers?: Readonly<Record<string, string>>,
  ): Promise<Called> {
    return waitFor(
      `${method} ${path} is done`,
      async () => {
        const called = await this.#call(method, path, token, body, headers);
        return called.outcome === 'done' ? called : undefined;
      },
      WITHIN_MS,
      BETWEEN_MS,
    );
  }

  /** What every node says; all of them the same. */
  async everywhere<T>(path: string, token: string, pick: (status: number, body: unknown) => T): Promise<T> {
    const ask = async (url: string) => {
      const { status, text } = await waitFor(
        `GET ${path} is answered`,
        async () => {
          const answer = await createApiClient(url).call('GET', path, token);
          return answer.status === 503 || answer.status === 429 ? undefined : answer;
        },
        WITHIN_MS,
        BETWEEN_MS,
      );
      return pick(status, text === '' ? undefined : JSON.parse(text));
    };
    const said = await Promise.all(this.#nodes().map(ask));
    const [first] = said;
    if (said.some((one) => JSON.stringify(one) !== JSON.stringify(first)))
      throw new Error(`nodes differ in GET ${path}: ${JSON.stringify(said)}`);
    return first as T;
  }
}
