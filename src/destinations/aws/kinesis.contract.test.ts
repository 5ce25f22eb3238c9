import { sampleIdsIn } from '../batches.fixture.ts';
import { testDestination } from '../destination.contract.ts';
import type { PeerBehaviour } from '../destination-world.fixture.ts';
import { awsKinesis } from './kinesis.ts';
import { type Served, startAwsPeer } from './peer.fixture.ts';

const failure = (status: number, code: string): Served => ({
  status,
  body: JSON.stringify({ __type: code, message: 'no' }),
});

const ANSWERS: Record<Exclude<PeerBehaviour, 'ok' | 'half'>, Served> = {
  busy: failure(503, 'ServiceUnavailable'),
  refuse: failure(400, 'AccessDeniedException'),
  reject: failure(400, 'ValidationException'),
  too_large: failure(413, 'RequestEntityTooLarge'),
  hang: 'hang',
  close: 'close',
};

interface Body {
  readonly Records: readonly { readonly Data: string; readonly ExplicitHashKey?: string }[];
}

const start = () =>
  startAwsPeer({ stream_name: 'records' }, (behaviour, { body }, taken) => {
    if (behaviour !== 'ok' && behaviour !== 'half') return ANSWERS[behaviour];
    const { Records } = JSON.parse(body.toString()) as Body;
    if (Records.some(({ ExplicitHashKey }) => ExplicitHashKey))
      return failure(400, 'InvalidArgumentException');
    const results = Records.map(({ Data }, index) => {
      if (behaviour === 'half' && index % 2 === 1)
        return { ErrorCode: 'InternalFailure', ErrorMessage: 'no' };
      taken.push(...sampleIdsIn(Buffer.from(Data, 'base64').toString()));
      return { ShardId: 'shardId-000000000000', SequenceNumber: '1' };
    });
    return { status: 200, body: JSON.stringify({ FailedRecordCount: 0, Records: results }) };
  });

for (const format of ['Json', 'CloudEvents'] as const) {
  testDestination(`AwsKinesis ${format}`, {
    format,
    type: awsKinesis,
    deviations: { marked: 'Kinesis carries nothing beside a record and its key' },
    start,
  });
}
