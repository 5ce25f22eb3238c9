/** A deliberate fault: one place of the program, changed. */
export interface Mutation {
  readonly name: string;
  /** The folder of src/ whose unit tests should notice it. */
  readonly kind: 'delivery' | 'leases' | 'log' | 'registry' | 'lib';
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly search: string;
  readonly replace: string;
}

const committer = 'src/delivery/partition/committer.ts';
const participation = 'src/leases/participation.ts';
const writes = 'src/leases/lease-writes.ts';
const held = 'src/leases/held.ts';
const contact = 'src/leases/contact.ts';
const log = 'src/log/embedded-log.ts';
const append = 'src/log/embedded-append.ts';
const registry = 'src/registry/embedded-registry.ts';

/** `npm run mutate` tries them, and those of the other files `…-mutations.ts`; `--list` says which no longer fit the program. */
export const MUTATIONS: readonly Mutation[] = [
  of(
    'delivery',
    committer,
    'the epoch of a successor is not compared',
    'if (epoch <= this.#context.epoch) return',
    'if (epoch >= 0) return',
  ),
  of(
    'delivery',
    committer,
    'the watermark passes streams that are behind',
    'watermark = Math.min(watermark, pump.place?.sequence ?? watermark);',
    '',
  ),
  of(
    'delivery',
    committer,
    'the watermark passes streams whose documents are being read',
    'watermark = Math.min(watermark, pump?.offeredFrom ?? watermark);',
    '',
  ),
  of(
    'delivery',
    committer,
    'the watermark moves before all streams are known',
    'if (!this.#context.allRead()) return this.#watermark;',
    '',
  ),
  of(
    'delivery',
    committer,
    'a commit that was not stored is forgotten',
    'this.#context.failed(outcome.cause);\n      this.changed(stream);',
    'this.#context.failed(outcome.cause);',
  ),
  of(
    'delivery',
    committer,
    'a commit that met a conflict is forgotten',
    'stream.revision = revision ?? stream.revision;\n      this.changed(stream);',
    'stream.revision = revision ?? stream.revision;',
  ),
  of(
    'delivery',
    committer,
    'the revision of a stored commit is not kept',
    'stream.revision = outcome.revision;',
    '',
  ),
  of(
    'delivery',
    committer,
    'every stream is written as caught up',
    'detached.push(isDetached);',
    'detached.push(false);',
  ),
  of(
    'delivery',
    committer,
    'a deleted stream is brought back by a commit',
    'if (revision === 0 && !(await this.#exists(streamKey(organisationId, id)))) return;',
    '',
  ),
  of('delivery', committer, 'what was dirty is committed again and again', 'this.#dirty.clear();', ''),
  of(
    'leases',
    contact,
    'a grant lasts for ever',
    "if (silence < this.#timing.holdMs) return 'granted';",
    "if (silence >= 0) return 'granted';",
  ),
  of(
    'leases',
    contact,
    'a pause is not noticed',
    'if (now - this.#lookedAt >= PAUSE_MS) this.#pausedAt = now;',
    '',
  ),
  of('leases', contact, 'the end of a grant begins no new term', 'this.#term++;', ''),
  of('leases', held, 'a lost lease does not end the run', 'this.stop.abort(new Error(', 'void (new Error('),
  of(
    'leases',
    writes,
    'the epoch does not grow with the holder',
    'const epoch = Math.max(lease?.document?.epoch ?? 0, last) + 1;',
    'const epoch = Math.max(lease?.document?.epoch ?? 0, last);',
  ),
  of(
    'leases',
    writes,
    'the last epoch of the partition is not looked up',
    'const last = await lastEpoch(partition);',
    'const last = 0;',
  ),
  of('leases', participation, 'a run that ended is not forgotten', 'this.#held.delete(partition);', ''),
  of(
    'log',
    append,
    'blocks can be seen before they are durable',
    'const next = extents.map((extent) => extent.next);',
    'const next = extents.map((extent) => extent.next);\n    for (const { blocks } of group) for (const { partition } of blocks) move(partition, (extents[partition] as Extent).next + 1);',
  ),
  of(
    'log',
    append,
    'what a failed write may have stored is not settled',
    'for (const { partition } of group.flatMap(({ blocks }) => blocks)) unsure.add(partition);',
    '',
  ),
  of(
    'log',
    append,
    'a repeated request is stored again',
    'if (earlier && now - earlier.at < IDEMPOTENCY_WINDOW)',
    'if (earlier && now - earlier.at < 0)',
  ),
  of('log', append, 'two blocks of one group get one sequence', 'next[partition] = sequence + 1;', ''),
  of('log', log, 'a trimmed block is still there for readers', 'extent.first = target;', ''),
  of(
    'log',
    log,
    'a follower receives each block twice',
    'sequence = stored.sequence + 1;',
    'sequence = stored.sequence;',
  ),
  of(
    'registry',
    registry,
    'a write does not compare the revision',
    'if (expected !== undefined && expected !== present)',
    'if (expected === -1)',
  ),
  of(
    'registry',
    registry,
    'a watch that begins reports a change twice',
    'reported = revision;\n      for (const change',
    'for (const change',
  ),
];

function of(kind: Mutation['kind'], file: string, name: string, search: string, replace: string): Mutation {
  return { kind, file, name, search, replace };
}
