import { sampleIdsIn } from '../batches.fixture.ts';
import { testHostile } from '../hostile.fixture.ts';
import { type Behaviour, PROXY_PAGE, says } from '../hostile-rows.fixture.ts';
import { AWS, ROLE, STS_ROWS } from './aws.hostile.fixture.ts';
import { awsKinesis } from './kinesis.ts';

interface Body {
  readonly Records: readonly { readonly Data: string }[];
}
const recordsOf = (body: Buffer) => (JSON.parse(body.toString()) as Body).Records;
const error = (status: number, code: string, message: string) =>
  says(status, JSON.stringify({ __type: code, message }));

/** Takes every second record. */
const half: Behaviour = ({ body }, response, _, taken) => {
  const results = recordsOf(body).map(({ Data }, at) => {
    if (at % 2 === 1)
      return { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'Rate exceeded for shard' };
    taken.push(...sampleIdsIn(Buffer.from(Data, 'base64').toString()));
    return { SequenceNumber: '1', ShardId: 'shardId-000000000000' };
  });
  response.end(JSON.stringify({ FailedRecordCount: 1, Records: results }));
};
const denied = error(
  400,
  'AccessDeniedException',
  'User is not authorized to perform: kinesis:PutRecords because no identity-based policy allows it',
);
const expired = error(400, 'ExpiredTokenException', 'The security token included in the request is expired');

testHostile({
  ...AWS,
  type: awsKinesis,
  guide: 'aws-kinesis.md',
  credentials: () => ({ region: 'eu-west-1', stream_name: 'records', role_arn: ROLE }),
  take:
    (taken) =>
    ({ body }, response) => {
      const records = recordsOf(body);
      for (const { Data } of records) taken.push(...sampleIdsIn(Buffer.from(Data, 'base64').toString()));
      response.end(
        JSON.stringify({ FailedRecordCount: 0, Records: records.map(() => ({ SequenceNumber: '1' })) }),
      );
    },
  rows: [
    PROXY_PAGE,
    {
      what: 'throttles some records of a call',
      answers: [half],
      type: 'partial',
      reads: /not enough capacity/,
    },
    {
      what: 'throttles a whole call',
      answers: [error(400, 'ProvisionedThroughputExceededException', 'Rate exceeded')],
      type: 'retry',
      reads: /is throttling requests/,
    },
    { what: 'the role’s session expired on the way', answers: [expired], type: 'delivered', reads: /^$/ },
    {
      what: 'the clock of the node is wrong, for good',
      answers: [
        error(
          400,
          'InvalidSignatureException',
          'Signature expired: 20260101T000000Z is now earlier than 20260101T010000Z',
        ),
      ],
      lasting: true,
      type: 'platform',
      reads: /clock of this simstream node/,
    },
    {
      what: 'the stream was deleted, or is in another region',
      answers: [
        error(400, 'ResourceNotFoundException', 'Stream records under account 123456789012 not found.'),
      ],
      lasting: true,
      type: 'refused',
      reads: /no active stream/,
    },
    {
      what: 'the permission was taken away, and given back',
      answers: [denied, denied],
      type: 'refused',
      reads: /needs kinesis:PutRecords/,
    },
    {
      what: 'the key of the stream is disabled, and enabled again',
      answers: [error(400, 'KMSDisabledException', 'The key is disabled.')],
      type: 'refused',
      reads: /Enable the KMS key/,
    },
    {
      what: 'answers 200 without the results',
      answers: [says(200, 'welcome')],
      type: 'retry',
      reads: /has no result for each record/,
    },
    {
      what: 'answers 200, and its body never ends',
      answers: [(_, response) => response.writeHead(200).write('{"Records":[')],
      waits: true,
      type: 'retry',
      reads: /has no result for each record/,
    },
    ...STS_ROWS,
  ],
});
