import { StoreUnavailable } from '../../errors.ts';
import { ALWAYS, type Permit } from '../../lib/permit.ts';
import type { StoredBlock } from '../../log/log.ts';
import { streamKey, WATERMARK, watermarkKey } from '../../registry/data-stream.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import { expireLedger } from '../ledger/store.ts';
import { expireQuarantined } from '../quarantine/reading.ts';
import type { SideJob } from '../stream/state.ts';
import { Committer } from './committer.ts';
import { Retention } from './retention.ts';
import type { RunnerContext } from './runner-context.ts';
import { PartitionStreams } from './streams.ts';
import { untilAnswered } from './until-answered.ts';

/** Interval of the search for old blocks. Blocks live for days, so a few minutes more do not matter. */
const TRIM_INTERVAL_MS = 60_000;

/** How often a partition looks for old days of the ledger: one day more does not matter. */
const LEDGER_INTERVAL_MS = 24 * 3_600_000;

/** How often the holder of partition 0 removes expired records from the quarantine of all streams; each time it reads all of it. */
const QUARANTINE_INTERVAL_MS = 3_600_000;

/**
 * Runs one partition under a lease: reads its tail once, hands each block to the streams that get records of it, keeps
 * their progress durable, and trims by age. Its cost grows with blocks and deliveries, never with idle streams.
 */
export class PartitionRunner {
  readonly #context: RunnerContext;
  readonly #partition: number;
  readonly #epoch: number;
  readonly #streams: PartitionStreams;
  /** Aborts when this runner must end: another node holds the partition, or a bug stopped it. */
  readonly #ending = new AbortController();
  #committer: Committer | undefined;
  #dispatched = 0;
  /** Whether the progress of every stream is known. */
  #allRead = false;

  constructor(context: RunnerContext, partition: number, epoch: number, permit: Permit = ALWAYS) {
    this.#context = context;
    this.#partition = partition;
    this.#epoch = epoch;
    this.#streams = new PartitionStreams({
      ...context,
      partition,
      epoch,
      permit,
      committer: () => this.#committer,
      dispatched: () => this.#dispatched,
      fenced: () => this.#fence(),
    });
  }

  /** Runs until `stop` aborts; requests in flight then get their grace time, and all progress is committed. */
  async run(lease: AbortSignal): Promise<void> {
    const stop = AbortSignal.any([lease, this.#ending.signal]);
    const unsubscribe = this.#streams.subscribe();
    try {
      if (!(await this.#untilAnswered(() => this.#claim(), stop))) return;
      this.#streams.addAll();
      const reading = this.#readAll(stop);
      const committer = this.#committer as Committer;
      const ended = new AbortController();
      const committing = committer.run(stop, ended.signal);
      const tidying = this.#tidy(stop);
      const held = { partition: this.#partition, streams: () => this.#streams.live() };
      const beside = this.#context.beside?.(held, stop);
      await this.#follow(stop);
      await Promise.all([reading, tidying, beside, this.#streams.stop()]);
      ended.abort();
      await committing;
      if (!this.#ending.signal.aborted) await committer.flush(stop);
    } finally {
      unsubscribe();
    }
  }

  /**
   * Runs a job beside the live one of a stream of this partition. Continues the job if one with this name was begun before.
   * @returns whether the end of the job is durable; false if this node stops before that, or the stream is deleted
   * @throws Error when the partition has no such stream
   */
  runBeside(organisationId: number, id: string, job: SideJob): Promise<boolean> {
    return this.#streams.runBeside(streamKey(organisationId, id), job);
  }

  async #follow(stop: AbortSignal): Promise<void> {
    try {
      await this.#context.log.follow(
        this.#partition,
        this.#dispatched,
        (stored) => this.#dispatch(stored, stop),
        stop,
      );
    } catch (error) {
      this.#failPartition(error);
    }
  }

  /**
   * Reads the progress of all streams while the runner already follows the tail: for a hundred thousand streams this takes
   * seconds, and a stream that gets records meanwhile reads its own. The watermark waits for the end.
   */
  async #readAll(stop: AbortSignal): Promise<void> {
    try {
      await this.#untilAnswered(() => this.#streams.readAll(stop), stop);
      this.#allRead = !stop.aborted;
      this.#committer?.moved();
    } catch (error) {
      this.#failPartition(error);
    }
  }

  #fence(): void {
    this.#ending.abort(new Error('another node holds the partition'));
  }

  #failPartition(error: unknown): void {
    const reason = error instanceof Error ? error.stack : String(error);
    this.#context.telemetry.deliveryFault(`partition ${this.#partition} stopped: ${reason}`);
    this.#ending.abort(error);
  }

  /** Takes the partition over. False: another node has taken it over since. */
  async #claim(): Promise<boolean> {
    const { registry, log } = this.#context;
    const entry = await WATERMARK.get(registry, watermarkKey(this.#partition));
    const before = entry?.document;
    if (before && before.epoch > this.#epoch) return false;
    const { first } = await log.extent(this.#partition);
    this.#dispatched = Math.max(before?.sequence ?? first, first);
    const claim = { sequence: this.#dispatched, epoch: this.#epoch };
    const claimed = await WATERMARK.put(registry, watermarkKey(this.#partition), claim, entry?.revision ?? 0);
    if (claimed.type === 'unavailable') throw new StoreUnavailable(claimed.cause);
    // Either the previous holder wrote it, or this holder did and lost the answer: the stored epoch decides.
    if (claimed.type === 'conflict') return this.#claim();
    this.#committer = new Committer(
      {
        partition: this.#partition,
        epoch: this.#epoch,
        registry,
        clock: this.#context.clock,
        dispatched: () => this.#dispatched,
        pumps: () => this.#streams.active,
        allRead: () => this.#allRead,
        fenced: () => this.#fence(),
        committed: (cursors, durationMs) => this.#context.telemetry.committed(cursors, durationMs),
        failed: (cause) => this.#context.telemetry.deliveryFault(`progress cannot be committed: ${cause}`),
      },
      this.#dispatched,
      claimed.revision,
    );
    return true;
  }

  /** Hands a block to the streams of its organisations, once their place in the tree is known. */
  #dispatch(stored: StoredBlock, stop: AbortSignal): void | Promise<void> {
    const organisations = stored.block?.organisations ?? [];
    const { tree } = this.#context;
    if (!hasUnknown(tree, organisations)) return this.#handOutJudged(stored, stop);
    const known = this.#untilAnswered(() => tree.learn(organisations), stop);
    return known.then(() => (stop.aborted ? undefined : this.#handOutJudged(stored, stop)));
  }

  #handOutJudged(stored: StoredBlock, stop: AbortSignal): void | Promise<void> {
    const judging = stored.block && this.#streams.prepare(stored.block);
    if (!judging) return this.#handOut(stored);
    return judging.then(() => {
      if (!stop.aborted) this.#handOut(stored);
    });
  }

  #untilAnswered<T>(ask: () => T, stop: AbortSignal): Promise<Awaited<T> | undefined> {
    const { clock, telemetry } = this.#context;
    const waiting = (cause: string) =>
      telemetry.deliveryFault(`partition ${this.#partition} waits: ${cause}`);
    return untilAnswered(ask, clock, waiting, stop);
  }

  #handOut(stored: StoredBlock): void {
    const { sequence, block } = stored;
    if (block) {
      // The runner has reached this block: a pump that starts for it continues here.
      this.#dispatched = sequence;
      this.#streams.offer(sequence, block);
    } else {
      const { telemetry } = this.#context;
      telemetry.deliveryFault(`block ${sequence} of partition ${this.#partition}: ${stored.fault}`);
      this.#streams.unreadable(sequence);
    }
    this.#dispatched = sequence + 1;
    this.#streams.handedOut(this.#dispatched);
    this.#committer?.moved();
  }

  /** Ends idle pumps and trims blocks older than the retention, from time to time. */
  async #tidy(stop: AbortSignal): Promise<void> {
    const { clock, log, registry, telemetry, retentionMs, timeOfAges } = this.#context;
    const retention = new Retention({
      partition: this.#partition,
      log,
      streams: () => [...this.#streams.active].flatMap(({ pump }) => pump ?? []),
      unreadable: (sequence, fault) =>
        telemetry.deliveryFault(
          `block ${sequence} of partition ${this.#partition} expired and could not be read, so its records are not counted: ${fault}`,
        ),
      monotonic: () => clock.monotonic(),
    });
    const quarantineRetentionMs = this.#context.quarantineRetentionMs ?? retentionMs;
    let lookAgainAt = clock.monotonic();
    let ledgerAt = clock.monotonic();
    while (!stop.aborted) {
      await clock.sleep(TRIM_INTERVAL_MS, stop).catch(() => undefined);
      if (stop.aborted) return;
      for (const { pump, summary } of this.#streams.active) {
        if (pump?.progress && !summary.job) telemetry.sampled(summary, pump.pending);
      }
      this.#streams.stopIdlePumps();
      try {
        await retention.trim(timeOfAges(), retentionMs, stop);
        if (clock.monotonic() >= ledgerAt) {
          await expireLedger(registry, this.#partition, timeOfAges(), stop);
          ledgerAt = clock.monotonic() + LEDGER_INTERVAL_MS;
        }
        if (this.#partition !== 0 || clock.monotonic() < lookAgainAt) continue;
        await expireQuarantined(registry, timeOfAges() - quarantineRetentionMs, stop);
        lookAgainAt = clock.monotonic() + QUARANTINE_INTERVAL_MS;
      } catch (error) {
        telemetry.deliveryFault(
          `partition ${this.#partition} cannot be trimmed: ${error instanceof Error ? error.message : error}`,
        );
      }
    }
  }
}

function hasUnknown(tree: OrganisationTree, organisations: ArrayLike<number>): boolean {
  for (let ordinal = 0; ordinal < organisations.length; ordinal++)
    if (!tree.has(organisations[ordinal] as number)) return true;
  return false;
}
