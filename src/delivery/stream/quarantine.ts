import type { Position } from '../../log/log.ts';
import { documentKind } from '../../registry/documents.ts';
import { type Registry, registryKey } from '../../registry/registry.ts';
import type { QuarantinedRecord, StreamSummary } from './stream-context.ts';

/** `quarantine.<organisation>.<stream>.<sequence>-<index>`, numbers padded so that keys sort like positions. */
export interface QuarantineDocument {
  readonly kind: 'usage' | 'event';
  /** Milliseconds since the epoch: when it was set aside, and when it came in. */
  readonly at: number;
  readonly arrivedAt: number;
  readonly code: string;
  readonly message: string;
  readonly remoteStatus?: number;
  /** The record's own bytes as text. */
  readonly record: string;
}

export const QUARANTINE = documentKind<QuarantineDocument>({ prefix: 'quarantine' });

export const quarantinePrefix = (organisationId: number, id: string) =>
  registryKey(QUARANTINE.prefix, organisationId, id);

export function quarantineKey(organisationId: number, id: string, { sequence, index }: Position): string {
  const place = `${String(sequence).padStart(16, '0')}-${String(index).padStart(8, '0')}`;
  return `${quarantinePrefix(organisationId, id)}.${place}`;
}

/** The position that the last part of a key of `quarantineKey` stands for. */
export function readPlace(place: string): Position | undefined {
  const [, sequence, index] = /^(\d+)-(\d+)$/.exec(place) ?? [];
  return sequence && index ? { sequence: Number(sequence), index: Number(index) } : undefined;
}

/** Sets records aside for a person to look at. Resolves when they are durable; rejects when they cannot be stored. */
export async function storeQuarantined(
  registry: Registry,
  stream: StreamSummary,
  records: readonly QuarantinedRecord[],
  now: number,
): Promise<void> {
  const writes = records.map(({ position, arrivedAt, cause, bytes }) => {
    const document: QuarantineDocument = {
      kind: stream.kind,
      at: now,
      arrivedAt,
      code: cause.code,
      message: cause.message,
      ...(cause.remoteStatus === undefined ? {} : { remoteStatus: cause.remoteStatus }),
      record: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
    };
    return QUARANTINE.write(quarantineKey(stream.organisationId, stream.id, position), document);
  });
  for (const outcome of await registry.putMany(writes)) {
    if (outcome.type !== 'stored')
      throw new Error(outcome.type === 'unavailable' ? outcome.cause : 'conflict');
  }
}
