import { TEMPLATES } from '../tests/support/usage-records.ts';
import { type Child, startChild } from './processes/calls.ts';
import type { Load, ProducerCalls, Sent } from './processes/producer.ts';
import type { SinkCalls } from './processes/sink.ts';
import type { Reconciled } from './reconciliation.ts';

/** The two ends of every measurement, each a process of its own, for as long as the bench runs. */
export interface Rig {
  readonly sinkUrl: string;
  /** Of another sink, in a process of its own, which accounts for nothing: receivers of different customers do not share a loop. */
  otherSinkUrl(): Promise<string>;
  /** Of the same sink over TLS. */
  secureSinkUrl(key: string, cert: string): Promise<string>;
  /** Where to send which records: a number of a record is never used twice. */
  allot(shape: Shape, target: Target): Load;
  /**
   * Sends a load as fast as it is taken, and waits until it has arrived at the sink's path. Calls `started` just before the
   * first request, and `arrived` just after the last record's arrival.
   */
  drive(load: Load, sinkPath: string, hooks?: Hooks): Promise<Drive>;
  /** Sends a load as fast as it is taken, to a destination other than the sink. */
  produce(load: Load): Promise<Sent>;
  /** Sends a load at a pace, records per second; returns each record's time from request to sink, in milliseconds. */
  pace(load: Load, rate: number, sinkPath: string): Promise<Paced>;
  end(): Promise<void>;
}

export interface Shape {
  readonly records: number;
  readonly batch: number;
  readonly connections: number;
}

export type Target = Pick<Load, 'origin' | 'path' | 'token' | 'organisationId' | 'organisations' | 'kind'>;

interface Hooks {
  /** Of the sink, from a request to its answer, ms. */
  readonly answersAfterMs?: number;
  /** Records of different devices may come in any order. */
  readonly anyOrder?: boolean;
  started?(): void;
  arrived?(): void;
}

export interface Drive {
  /** Time from the first request to the last delivery at the sink. */
  readonly recordsPerSecond: number;
  /** Time from the first request to the last acknowledgement. */
  readonly ackedPerSecond: number;
  /** Records of a delivery, on average. */
  readonly delivered: number;
  readonly producer: Sent;
  /** Faults, in words. */
  readonly faults: string[];
}

export interface Paced {
  readonly latencies: Float64Array;
  readonly faults: string[];
}

/** When no new record arrives for this long, missing ones count as lost. */
const STALLED_MS = 15_000;

export async function startRig(): Promise<Rig> {
  const sink: Child<SinkCalls> = startChild('./sink.ts');
  const producer: Child<ProducerCalls> = startChild('./producer.ts');
  const sinkUrl = await sink.call.url();
  let other: Child<SinkCalls> | undefined;
  let nextNumber = 0;

  const expect = (load: Load, path: string, order: boolean, arrivals: boolean, answersAfterMs?: number) =>
    sink.call.expect({
      path,
      organisationId: load.organisationId,
      organisations: load.organisations,
      kind: load.kind,
      first: load.first,
      records: load.records,
      batch: load.batch,
      lanes: order ? load.connections : 0,
      arrivals,
      answersAfterMs,
    });

  return {
    sinkUrl,
    otherSinkUrl: () => {
      other ??= startChild('./sink.ts');
      return other.call.url();
    },
    secureSinkUrl: (key, cert) => sink.call.secureUrl({ key, cert }),

    allot: (shape, target) => {
      const first = nextNumber;
      nextNumber += Math.ceil(shape.records / TEMPLATES) * TEMPLATES;
      return { ...target, ...shape, first };
    },

    drive: async (load, path, hooks = {}) => {
      // Streams of different organisations deliver beside each other.
      const order = load.organisations === undefined && !hooks.anyOrder;
      await expect(load, path, order, false, hooks.answersAfterMs);
      await producer.call.prepare(load);
      hooks.started?.();
      const arriving = sink.call.settled({ path, stalledMs: STALLED_MS }).then(() => hooks.arrived?.());
      const sent = await producer.call.run(load);
      await arriving;
      const result = await sink.call.result(path);
      return {
        recordsPerSecond: (result.distinct * 1_000) / (result.lastAt - sent.startedAt),
        ackedPerSecond: (load.records * 1_000) / (sent.endedAt - sent.startedAt),
        delivered: result.distinct / result.requests,
        producer: sent,
        faults: faultsOf(result),
      };
    },

    produce: async (load) => {
      await producer.call.prepare(load);
      return producer.call.run(load);
    },

    pace: async (load, rate, path) => {
      await expect(load, path, false, true);
      await producer.call.prepare(load);
      const { sentAt } = await producer.call.pace({ load, rate });
      await sink.call.settled({ path, stalledMs: STALLED_MS });
      const result = await sink.call.result(path);
      const latencies = result.arrivedAt.map(
        (at, index) => at - (sentAt[Math.floor(index / load.batch)] as number),
      );
      return { latencies: latencies.filter((ms) => !Number.isNaN(ms)), faults: faultsOf(result) };
    },

    end: async () => {
      await Promise.all([sink.end(), producer.end(), other?.end()]);
    },
  };
}

/** The faults of an account, in words. */
export function faultsOf(result: Omit<Reconciled, 'distinct' | 'requests' | 'bytes'>): string[] {
  return (['lost', 'duplicated', 'reordered', 'damaged'] as const)
    .filter((fate) => result[fate] > 0)
    .map((fate) => `${result[fate]} records ${fate}`);
}
