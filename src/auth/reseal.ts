import type { Clock } from '../lib/clock.ts';
import { type DataStreamDocument, STREAM, streamKey } from '../registry/data-stream.ts';
import type { Registry } from '../registry/registry.ts';
import { rewriteAll } from './rewrite.ts';
import type { Sealer } from './seal.ts';

/**
 * The second half of a change of the node's secret: seals everything from the previous secret with the current one, so that
 * the operator can drop the previous one.
 */
interface ResealParts {
  readonly registry: Registry;
  readonly sealer: Sealer;
  readonly clock: Clock;
  /** Called once, at the end. */
  done(result: Resealed): void;
}

export interface Resealed {
  readonly sealed: number;
  /** `organisation/stream` of the streams that neither secret opens: their credentials must be entered again. */
  readonly unreadable: readonly string[];
}

/** Seals all credentials with the current secret. Resolves at the end, or when `signal` aborts. */
export async function resealCredentials(parts: ResealParts, signal: AbortSignal): Promise<void> {
  const unreadable = new Set<string>();
  const sealed = await rewriteAll(
    parts,
    STREAM,
    ({ document }) => resealed(document, parts.sealer, unreadable),
    signal,
  );
  if (sealed !== undefined) parts.done({ sealed, unreadable: [...unreadable] });
}

function resealed(
  document: DataStreamDocument,
  sealer: Sealer,
  unreadable: Set<string>,
): DataStreamDocument | undefined {
  const name = `${document.organisationId}/${document.id}`;
  unreadable.delete(name);
  if (sealer.isCurrent(document.sealedCredentials)) return undefined;
  const context = streamKey(document.organisationId, document.id);
  const opened = sealer.open(document.sealedCredentials, context);
  if (opened.type === 'fault') {
    unreadable.add(name);
    return undefined;
  }
  return { ...document, sealedCredentials: sealer.seal(opened.value, context) };
}
