import { s3Error } from '../../../tests/support/aws-s3.ts';
import { sampleIdsIn } from '../batches.fixture.ts';
import { testDestination } from '../destination.contract.ts';
import type { PeerBehaviour } from '../destination-world.fixture.ts';
import { type Served, startAwsPeer } from './peer.fixture.ts';
import { s3 } from './s3.ts';

const failure = (status: number, code: string): Served => {
  return { status, body: s3Error(status, code, 'no').body.toString() };
};

const ANSWERS: Record<Exclude<PeerBehaviour, 'ok' | 'half'>, Served> = {
  busy: failure(503, 'SlowDown'),
  refuse: failure(403, 'AccessDenied'),
  reject: failure(400, 'InvalidRequest'),
  too_large: failure(400, 'EntityTooLarge'),
  hang: 'hang',
  close: 'close',
};

/** The ids of the records in a file. */
const READERS = {
  Csv: (text: string) => [...text.matchAll(/^"(\d+)",/gm)].map((match) => match[1] as string),
  NdJson: sampleIdsIn,
  Json: sampleIdsIn,
};

for (const format of ['Csv', 'Json', 'NdJson'] as const) {
  testDestination(`S3 ${format}`, {
    type: s3,
    format,
    deviations: {
      partial: 'an object is stored as a whole or not at all',
      reject: 'S3 does not look into files',
    },
    start: () =>
      startAwsPeer({ bucket_name: 'records' }, (behaviour, { headers, body }, taken) => {
        if (behaviour !== 'ok' && behaviour !== 'half') return ANSWERS[behaviour];
        if (headers['content-md5']) return failure(400, 'BadDigest');
        taken.push(...READERS[format](body.toString()));
        return { status: 200, body: '' };
      }),
  });
}
