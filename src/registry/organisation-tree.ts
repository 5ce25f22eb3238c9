import { ORGANISATION, organisationKey } from './organisation.ts';
import type { Change, Registry } from './registry.ts';

/**
 * The tree of organisations in memory, kept current by a watch, so that routing a record costs a few map lookups. An
 * organisation that is not registered is its own root and has no parent.
 */
export interface OrganisationTree {
  /** The root of the organisation's tree. */
  rootOf(id: number): number;
  /** Its parent, its parent's parent, … up to the root; empty for a root. */
  ancestorsOf(id: number): readonly number[];
  name(id: number): string | undefined;
  has(id: number): boolean;
  /**
   * Looks up organisations that are not known yet: another node may have registered them a moment ago, and the watch may
   * not have reported them. undefined if all are known, or if the watch is current, so that the usual case waits for nothing.
   * @throws StoreUnavailable
   */
  learn(ids: ArrayLike<number>): Promise<void> | undefined;
  /** Calls `onChange` whenever an organisation was added or deleted; returns a function that ends it. */
  subscribe(onChange: (id: number) => void): () => void;
}

interface Node {
  readonly name: string;
  readonly parent: number | null;
  readonly root: number;
}

/** A request may hold records of thousands of unregistered organisations. */
const LEARN_TOGETHER = 256;

/** Loads the tree and follows its changes until `signal` aborts. */
export async function loadOrganisationTree(
  registry: Registry,
  signal: AbortSignal,
): Promise<OrganisationTree> {
  const nodes = new Map<number, Node>();
  const subscribers = new Set<(id: number) => void>();

  /**
   * The revisions of deletions: a read that began before a deletion may end after it, and would bring the
   * organisation back.
   */
  const deleted = new Map<number, number>();

  const apply = (change: Change) => {
    if (change.value === undefined) {
      const id = Number(change.key.slice(ORGANISATION.prefix.length + 1));
      deleted.set(id, change.revision);
      nodes.delete(id);
      for (const subscriber of subscribers) subscriber(id);
      return;
    }
    const document = ORGANISATION.parse(change.value);
    if (change.revision <= (deleted.get(document.id) ?? 0)) return;
    nodes.set(document.id, { name: document.name, parent: document.parentId, root: document.rootId });
    for (const subscriber of subscribers) subscriber(document.id);
  };
  await registry.watch(ORGANISATION.prefix, apply, signal);
  /** Registers it after its ancestors, from the root down, so that a parent is known before its child. */
  const learn = async (id: number): Promise<void> => {
    const entry = await registry.get(organisationKey(id));
    if (!entry) return;
    const { parentId } = ORGANISATION.parse(entry.value);
    if (parentId !== null && !nodes.has(parentId)) await learn(parentId);
    apply(entry);
  };
  const learnAll = async (ids: readonly number[]): Promise<void> => {
    for (let at = 0; at < ids.length; at += LEARN_TOGETHER)
      await Promise.all(ids.slice(at, at + LEARN_TOGETHER).map(learn));
  };

  return {
    rootOf: (id) => nodes.get(id)?.root ?? id,
    ancestorsOf: (id) => {
      const ancestors: number[] = [];
      // A parent exists before its child and never changes, so the walk ends.
      for (let node = nodes.get(id); node?.parent != null; node = nodes.get(node.parent))
        ancestors.push(node.parent);
      return ancestors;
    },
    name: (id) => nodes.get(id)?.name,
    has: (id) => nodes.has(id),
    learn: (ids) => {
      if (registry.watchIsCurrent) return undefined;
      const unknown = Array.from(ids).filter((id) => !nodes.has(id));
      return unknown.length === 0 ? undefined : learnAll(unknown);
    },
    subscribe: (onChange) => {
      subscribers.add(onChange);
      return () => subscribers.delete(onChange);
    },
  };
}
