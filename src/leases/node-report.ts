import type { Clock } from '../lib/clock.ts';
import type { Contact } from './contact.ts';
import { type LeaseTelemetry, type NodesSnapshot, STUCK_MS } from './nodes.ts';
import { clockFaults, WARN_SKEW_MS } from './skew.ts';
import type { LeaseTiming } from './timing.ts';
import type { LeasesView } from './view.ts';

interface ReportContext {
  readonly clock: Clock;
  readonly timing: LeaseTiming;
  readonly view: LeasesView;
  readonly contact: Contact;
  readonly partitions: number;
  readonly session: string;
  readonly telemetry?: LeaseTelemetry;
  isRunning(partition: number): boolean;
  leaving(): boolean;
}

/** How often clocks are compared, and how often one that differs is reported. */
const SKEWS = { compareEveryMs: 5_000, reportEveryMs: 60_000 };

/** A node's report on the nodes, the partitions, and the faults of its own part. */
export class NodeReport {
  readonly #context: ReportContext;
  /** Since when no node holds a partition, as this node sees it (monotonic). */
  readonly #unheld = new Map<number, number>();
  /** Why the latest write of a lease failed. */
  readonly #causes = new Map<number, string>();
  /** When a node's clock was last reported to differ, by session (monotonic). */
  readonly #skewed = new Map<string, number>();
  #comparedAt = 0;

  constructor(context: ReportContext) {
    this.#context = context;
  }

  /** Call this often: it measures for how long partitions are without a holder. */
  look(): void {
    const { clock, view, partitions, telemetry } = this.#context;
    const now = clock.monotonic();
    for (let partition = 0; partition < partitions; partition++) {
      if (!view.isUnheld(partition)) this.#unheld.delete(partition);
      else if (!this.#unheld.has(partition)) this.#unheld.set(partition, now);
    }
    if (now - this.#comparedAt < SKEWS.compareEveryMs) return;
    this.#comparedAt = now;
    for (const { name, session, skewMs = 0 } of view.nodes(partitions)) {
      const last = this.#skewed.get(session) ?? Number.NEGATIVE_INFINITY;
      if (Math.abs(skewMs) < WARN_SKEW_MS || now - last < SKEWS.reportEveryMs) continue;
      this.#skewed.set(session, now);
      telemetry?.clockSkewed({ node: name, skewMs });
    }
  }

  /** A lease was not written. */
  failed(partition: number, cause: string): void {
    this.#causes.set(partition, cause);
  }

  written(partition: number): void {
    this.#causes.delete(partition);
  }

  snapshot(): NodesSnapshot {
    const { clock, timing, view, contact, partitions } = this.#context;
    const now = clock.monotonic();
    const nodes = view.nodes(partitions);
    const all = Array.from({ length: partitions }, (_, partition) => partition);
    const unheld = all.filter((partition) => view.isUnheld(partition));
    const stuck = unheld.filter((partition) => now - (this.#unheld.get(partition) ?? now) >= STUCK_MS);
    const quorum = contact.silence < timing.holdMs;
    const faults = quorum ? this.#missing(stuck) : [this.#withoutQuorum()];
    return { nodes, unheld, stuck, ageMs: view.echoAge, quorum, faults: [...faults, ...clockFaults(nodes)] };
  }

  #withoutQuorum(): string {
    const { silence } = this.#context.contact;
    const since = Number.isFinite(silence) ? `for ${Math.round(silence / 1_000)} s` : 'yet';
    return `the storage has stored no heartbeat of this node ${since}`;
  }

  /** Why this node does not run all of its partitions. */
  #missing(stuck: readonly number[]): string[] {
    const { view, partitions, session, isRunning, leaving } = this.#context;
    const owners = view.owners(partitions);
    return stuck
      .filter((partition) => owners[partition] === session && !leaving())
      .map((partition) => {
        const why = isRunning(partition)
          ? 'its previous run has not ended'
          : (this.#causes.get(partition) ?? 'its lease is being read and written');
        return `this node should run partition ${partition} and does not: ${why}`;
      });
  }
}
