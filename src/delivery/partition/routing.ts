import type { Block } from '../../records/block.ts';
import type { OrganisationTree } from '../../registry/organisation-tree.ts';
import type { StreamSummary } from '../stream/stream-context.ts';

/** A stream's entry in the routing table. */
interface Routed {
  readonly summary: StreamSummary;
}

/**
 * Finds the data streams of a partition that get a record of an organisation: the organisation's own streams (relation Own
 * or Both), and streams of its ancestors in the tree (Children or Both). The result is remembered per organisation, so that
 * a block costs one map lookup per organisation in it.
 */
export class Routing<Stream extends Routed> {
  readonly #tree: OrganisationTree;
  readonly #byOwner = new Map<number, Set<Stream>>();
  readonly #resolved = new Map<number, readonly Stream[]>();

  constructor(tree: OrganisationTree) {
    this.#tree = tree;
  }

  add(stream: Stream): void {
    const owner = stream.summary.organisationId;
    let streams = this.#byOwner.get(owner);
    if (!streams) {
      streams = new Set();
      this.#byOwner.set(owner, streams);
    }
    streams.add(stream);
    this.forget();
  }

  remove(stream: Stream): void {
    const owner = stream.summary.organisationId;
    const streams = this.#byOwner.get(owner);
    streams?.delete(stream);
    if (streams?.size === 0) this.#byOwner.delete(owner);
    this.forget();
  }

  /** A relation or the tree changed: remembered results may be wrong. */
  forget(): void {
    if (this.#resolved.size > 0) this.#resolved.clear();
  }

  /** The streams that get records of this organisation. */
  streamsFor(organisation: number): readonly Stream[] {
    let streams = this.#resolved.get(organisation);
    if (!streams) {
      streams = this.#resolve(organisation);
      // Organisations without a stream are many and cheap to resolve: only hits are worth the memory.
      if (streams.length > 0) this.#resolved.set(organisation, streams);
    }
    return streams;
  }

  #resolve(organisation: number): readonly Stream[] {
    const streams: Stream[] = [];
    for (const stream of this.#byOwner.get(organisation) ?? []) {
      if (stream.summary.relation !== 2) streams.push(stream);
    }
    for (const ancestor of this.#tree.ancestorsOf(organisation)) {
      for (const stream of this.#byOwner.get(ancestor) ?? []) {
        if (stream.summary.relation !== 1) streams.push(stream);
      }
    }
    return streams.length > 0 ? streams : NONE;
  }
}

const NONE: readonly never[] = [];

/** The organisations of a block that a stream gets: all of them, their ordinals, or undefined when it gets none. */
export function coverage(
  tree: OrganisationTree,
  stream: StreamSummary,
  block: Block,
): 'all' | readonly number[] | undefined {
  const { organisations } = block;
  if (stream.relation === 1) {
    const ordinal = Array.prototype.indexOf.call(organisations, stream.organisationId);
    if (ordinal < 0) return undefined;
    return organisations.length === 1 ? 'all' : [ordinal];
  }
  const ordinals: number[] = [];
  for (let ordinal = 0; ordinal < organisations.length; ordinal++) {
    if (covers(tree, stream, organisations[ordinal] as number)) ordinals.push(ordinal);
  }
  if (ordinals.length === 0) return undefined;
  return ordinals.length === organisations.length ? 'all' : ordinals;
}

function covers(tree: OrganisationTree, stream: StreamSummary, organisation: number): boolean {
  if (organisation === stream.organisationId) return stream.relation !== 2;
  return stream.relation !== 1 && tree.ancestorsOf(organisation).includes(stream.organisationId);
}
