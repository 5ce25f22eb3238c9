import { setTimeout as sleep } from 'node:timers/promises';
import type { AnyNodeWorld } from './any-node-world.ts';
import { createApiClient } from './api-client.ts';
import { OPERATOR_TOKEN } from './node-process.ts';

const BATCH = 5;
const PACE_MS = 25;
/** Of the type that `types` of `AnyNodeWorld.events` gives them. */
const TYPE = 1;

/** Sends events of an organisation, one request after the other, to the nodes that there are in turn, until stopped. */
export class SteadyEvents {
  /** Of the records that were acknowledged, in order. */
  readonly ids: number[] = [];
  readonly #world: AnyNodeWorld;
  readonly #organisation: number;
  #stopping = false;
  #running = Promise.resolve();

  constructor(world: AnyNodeWorld, organisation: number) {
    this.#world = world;
    this.#organisation = organisation;
  }

  start(): void {
    this.#running = this.#run();
    this.#running.catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let request = 0; !this.#stopping; request++) {
      const events = this.#world.events(this.#organisation, Array(BATCH).fill(TYPE));
      const headers = { 'idempotency-key': `${this.#organisation}-${request}` };
      for (let turn = request; ; turn++) {
        const { urls } = this.#world.cluster;
        const api = createApiClient(urls[turn % urls.length] as string);
        const answer = await api
          .call('POST', '/operator/v1/records/events', OPERATOR_TOKEN, events, headers)
          // A node that is leaving takes no connection any more.
          .catch(() => undefined);
        if (answer?.status === 202) break;
        if (answer && answer.status !== 503) throw new Error(`${answer.status}: ${answer.text}`);
        await sleep(PACE_MS);
      }
      this.ids.push(...events.map(({ id }) => id));
      await sleep(PACE_MS);
    }
  }
}
