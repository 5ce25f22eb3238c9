import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/lib/system-clock.ts';
import { PREFIX } from '../../src/node/storage-nats.ts';
import { createNatsRegistry } from '../../src/registry/nats.ts';
import { partitionOf } from '../../src/registry/organisation.ts';
import { openNats } from '../../src/storage/nats.ts';
import { type Answer, createApiClient, type StreamView } from './api-client.ts';
import { ClusterWorld } from './cluster-world.ts';
import { type Inbox, Inboxes } from './inbox.ts';
import { OPERATOR_TOKEN } from './node-process.ts';
import { waitFor } from './wait-for.ts';

/** An organisation whose streams one node runs, and the two that have nothing to do with them. */
export interface Tenant {
  readonly id: number;
  readonly token: string;
  readonly holder: number;
  readonly others: readonly [number, number];
}

/** A data stream as any node shows it. */
export interface ShownStream extends StreamView {
  readonly name?: string;
  readonly filters: unknown;
  readonly destination: { readonly credentials: Readonly<Record<string, unknown>> };
}

export const NODES = [0, 1, 2] as const;
const PARTITIONS = 8;
const SERVERS = 3;
/** What a stream whose destination fails has to wait for until it is in Error. */
const RETRY_WINDOW = '1s';
/** Far more than anything here takes: a slow machine is not a fault. */
const WITHIN_MS = 60_000;

/** Three nodes on three NATS servers, what they deliver to, and calls that say which node they go to. */
export class AnyNodeWorld {
  readonly cluster = new ClusterWorld({
    nodes: NODES.length,
    servers: SERVERS,
    replicas: SERVERS,
    partitions: PARTITIONS,
    environment: { SIMSTREAM_RETRY_WINDOW: RETRY_WINDOW },
  });
  readonly #inboxes = new Inboxes();
  #lastOrganisation = 2_000_000;
  #lastRecord = 0;

  async begin(): Promise<void> {
    await Promise.all([this.cluster.begin(), this.#inboxes.begin()]);
  }

  async end(): Promise<void> {
    await Promise.all([this.cluster.end(), this.#inboxes.end()]);
  }

  /** Keys of the registry in which a text stands. */
  async keysNaming(text: string): Promise<string[]> {
    const nats = await openNats({ servers: this.cluster.nats.urls, replicas: SERVERS, clock: systemClock });
    try {
      const registry = await createNatsRegistry(nats, { prefix: PREFIX });
      const keys: string[] = [];
      for (const kind of ['stream', 'progress', 'history', 'activity', 'quarantine'])
        for await (const { key } of registry.list(kind)) if (key.includes(text)) keys.push(key);
      return keys;
    } finally {
      await nats.close();
    }
  }

  inbox(): Inbox {
    return this.#inboxes.add();
  }

  /** A call to a node that has to be answered with `status`; made again where an organisation calls too often. */
  async call(
    node: number,
    token: string,
    status: number,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answer> {
    const api = createApiClient(this.cluster.node(node).url);
    let answer = await api.call(method, path, token, body);
    while (answer.status === 429) {
      await sleep(BETWEEN_CALLS_MS);
      answer = await api.call(method, path, token, body);
    }
    const what = `${method} ${path} at node ${node}: ${answer.text}`;
    assert.equal(answer.status, status, what);
    return answer;
  }

  async read<T>(node: number, token: string, path: string): Promise<T> {
    return JSON.parse((await this.call(node, token, 200, 'GET', path)).text) as T;
  }

  operator(node: number, status: number, method: string, path: string, body?: unknown): Promise<Answer> {
    return this.call(node, OPERATOR_TOKEN, status, method, `/operator/v1/${path}`, body);
  }

  /** Which node runs each partition, as they say. */
  async holders(): Promise<ReadonlyMap<number, number>> {
    const { nodes } = await this.cluster.view(0);
    const ports = NODES.map((node) => this.cluster.node(node).port);
    const holders = new Map<number, number>();
    for (const { name, partitions } of nodes)
      for (const { partition } of partitions)
        holders.set(partition, ports.indexOf(Number(name.split(':').at(-1))));
    return holders;
  }

  /** An organisation id whose partition `node` holds. */
  async organisationIdAt(node: number): Promise<number> {
    // One that just started holds none yet.
    const holders = await waitFor(
      `node ${node} holds partitions`,
      async () => {
        const seen = await this.holders();
        return [...seen.values()].includes(node) ? seen : undefined;
      },
      WITHIN_MS,
    );
    do this.#lastOrganisation++;
    while (holders.get(partitionOf(this.#lastOrganisation, PARTITIONS)) !== node);
    return this.#lastOrganisation;
  }

  /** A new organisation, made by a node that does not run its streams. */
  async tenantAt(holder: number): Promise<Tenant> {
    const id = await this.organisationIdAt(holder);
    const [first, second] = NODES.filter((node) => node !== holder) as [number, number];
    const api = createApiClient(this.cluster.node(first).url);
    await api.createOrganisation(id, `Fleet ${id}`);
    return { id, token: await api.authenticate(id), holder, others: [first, second] };
  }

  /** Creates a stream of events at a node; returns its path. */
  async createStream(node: number, { token }: Tenant, inbox: Inbox, more: object = {}): Promise<string> {
    const body = { ...eventsTo(inbox), ...more };
    const { headers } = await this.call(node, token, 201, 'POST', STREAMS, body);
    return headers.get('location') as string;
  }

  show(node: number, { token }: Tenant, path: string): Promise<ShownStream> {
    return this.read(node, token, path);
  }

  /** Events that nobody has sent before. */
  events(organisation: number, types: readonly number[]): EventRecord[] {
    return types.map((type) => eventOf(organisation, ++this.#lastRecord, type));
  }

  async ingest(node: number, events: readonly EventRecord[]): Promise<void> {
    await this.operator(node, 202, 'POST', 'records/events', events);
  }

  /**
   * Waits for what follows from an answer that just came.
   * @returns how long it took, ms
   */
  async effect(what: string, check: () => Promise<boolean> | boolean): Promise<number> {
    const started = performance.now();
    await waitFor(what, async () => (await check()) || undefined, WITHIN_MS);
    return performance.now() - started;
  }

  /** Waits until every node shows a stream so. @returns how long it took, ms */
  async shownEverywhere(
    what: string,
    tenant: Tenant,
    path: string,
    check: (stream: ShownStream) => boolean,
    nodes: readonly number[] = NODES,
  ): Promise<number> {
    const waits = nodes.map(async (node) => {
      const started = performance.now();
      let seen: ShownStream | undefined;
      await waitFor(
        () => `${what} at node ${node}: ${JSON.stringify(seen)}`,
        async () => {
          seen = await this.show(node, tenant, path);
          return check(seen) || undefined;
        },
        WITHIN_MS,
      );
      return performance.now() - started;
    });
    return Math.max(...(await Promise.all(waits)));
  }

  /** What a question gives at each node. */
  everywhere<T>(ask: (node: number) => Promise<T>, nodes: readonly number[] = NODES): Promise<T[]> {
    return Promise.all(nodes.map(ask));
  }

  /** Asks every node, at once: they must all say the same. @returns what they say */
  async same<T>(ask: (node: number) => Promise<T>, nodes: readonly number[] = NODES): Promise<T> {
    const [first, ...others] = await this.everywhere(ask, nodes);
    for (const other of others) assert.deepEqual(other, first);
    return first as T;
  }
}

export const STREAMS = '/api/v2/data_stream';
/** An organisation may make 10 data stream calls a second at a node, and 20 at once. */
const BETWEEN_CALLS_MS = 100;

export interface EventRecord {
  readonly id: number;
  readonly event_type: { readonly id: number };
}

function eventOf(organisation: number, id: number, type: number): EventRecord {
  const record = {
    id,
    timestamp: '2026-03-17T06:02:48Z',
    alert: false,
    description: `Event ${id}`,
    event_type: { id: type, description: `Type ${type}` },
    event_source: { id: 0, description: 'Network' },
    event_severity: { id: 0, description: 'INFO' },
    organisation: { id: organisation, name: `Fleet ${organisation}` },
  };
  return record;
}

/** The body that creates a stream of events to an inbox. */
export function eventsTo({ url }: Inbox): object {
  const destination = { connection_type: 'RestAPI', credentials: { url, size: 100 }, format: 'Json' };
  return { name: 'Events', data_stream_type: { id: 2 }, destination };
}

export const ofType = (...ids: readonly number[]) => [{ field: 'event_type_id', value: ids }];
