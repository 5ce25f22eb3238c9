import { randomBytes } from 'node:crypto';
import { createSealer } from '../../src/auth/seal.ts';
import { secretOf } from '../../src/auth/secret.ts';
import { systemClock } from '../../src/lib/system-clock.ts';
import { type DataStreamDocument, STREAM, streamKey } from '../../src/registry/data-stream.ts';
import { createLmdbRegistry } from '../../src/registry/lmdb.ts';
import { createNatsRegistry } from '../../src/registry/nats.ts';
import { ORGANISATION, organisationKey, partitionOf } from '../../src/registry/organisation.ts';
import type { Registry, Write } from '../../src/registry/registry.ts';
import { openLmdb } from '../../src/storage/lmdb.ts';
import { openNats } from '../../src/storage/nats.ts';
import { answerCalls } from './calls.ts';

/**
 * Registers many organisations with data streams in a data directory or in NATS servers that no node uses at the moment.
 * The API would take hours: it allows 2,000 requests in five minutes from one address. So a stream that the API created is
 * the pattern, and each copy gets an id, an organisation, its partition, and credentials that are sealed for it.
 */
export interface Seed {
  readonly into:
    | { readonly directory: string }
    | { readonly natsUrls: readonly string[]; readonly replicas: number };
  /** Base64, as in SIMSTREAM_SECRET. */
  readonly secret: string;
  readonly partitions: number;
  /** Its only stream is the pattern. */
  readonly patternOrganisation: number;
  readonly firstOrganisation: number;
  readonly organisations: number;
  readonly streamsOfEach: number;
}

/** Organisations per write. */
const CHUNK = 100;

const handlers = {
  seed: async (seed: Seed): Promise<void> => {
    const sealer = createSealer(
      { current: secretOf(Buffer.from(seed.secret, 'base64')) },
      { next: Math.random, bytes: (length) => randomBytes(length) },
    );
    const { registry, close } = await openRegistry(seed.into);
    try {
      const patternKey = organisationKey(seed.patternOrganisation);
      const organisation = (await ORGANISATION.get(registry, patternKey))?.document;
      const streams = await Array.fromAsync(STREAM.list(registry, seed.patternOrganisation));
      const [pattern, ...others] = streams;
      if (!organisation || !pattern || others.length > 0) throw new Error('the pattern is not one stream');
      const stream = pattern.document;
      const opened = sealer.open(stream.sealedCredentials, pattern.key);
      if (opened.type === 'fault') throw new Error(opened.message);

      for (let at = 0; at < seed.organisations; at += CHUNK) {
        const writes: Write[] = [];
        for (let of = at; of < Math.min(at + CHUNK, seed.organisations); of++) {
          const id = seed.firstOrganisation + of;
          const owner = { ...organisation, id, rootId: id, parentId: null, name: `Idle ${of}` };
          writes.push(ORGANISATION.write(organisationKey(id), owner, 0));
          for (let each = 0; each < seed.streamsOfEach; each++) {
            const streamId = (of * seed.streamsOfEach + each).toString(16).padStart(8, '0');
            const key = streamKey(id, streamId);
            const copy: DataStreamDocument = {
              ...stream,
              id: streamId,
              organisationId: id,
              partition: partitionOf(id, seed.partitions),
              sealedCredentials: sealer.seal(opened.value, key),
            };
            writes.push(STREAM.write(key, copy, 0));
          }
        }
        const outcomes = await registry.putMany(writes);
        const failed = outcomes.find((outcome) => outcome.type !== 'stored');
        if (failed) throw new Error(`a document was not stored: ${failed.type}`);
      }
    } finally {
      await close();
    }
  },
};

async function openRegistry(into: Seed['into']): Promise<{ registry: Registry; close(): Promise<void> }> {
  if ('directory' in into) {
    const lmdb = await openLmdb(into.directory, { clock: systemClock });
    return { registry: createLmdbRegistry(lmdb), close: () => lmdb.close() };
  }
  const nats = await openNats({ servers: into.natsUrls, replicas: into.replicas, clock: systemClock });
  return { registry: await createNatsRegistry(nats), close: () => nats.close() };
}

export type SeedCalls = typeof handlers;

answerCalls(handlers);
