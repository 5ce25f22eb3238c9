import type { IncomingHttpHeaders } from 'node:http';

/**
 * Stands in for the clouds while connectors are measured. It answers as the service does without a fault, in the service's
 * form and length, and as cheaply as possible. The tests show whether a connector copes with the real service.
 */
export const STAND_INS = {
  RestAPI: { answer: () => json(200, '{}') },
  AwsKinesis: { answer: (body: Buffer) => json(200, putRecordsAnswer(count(body, '"PartitionKey":"'))) },
  'S3 Csv': { answer: () => json(200, '') },
  'S3 Json': { answer: () => json(200, '') },
  EventHubs: { answer: () => json(201, '') },
  PubSub: { answer: (body: Buffer) => json(200, publishAnswer(count(body, '"data":"'))) },
  'Datadog usage': { answer: () => json(202, '{"errors":[]}') },
  'Datadog events': { answer: () => json(202, '{}') },
  KeenIO: { answer: (body: Buffer) => json(200, keenAnswer(count(body, '{"keen":{'))) },
} as const;

export type StandInName = keyof typeof STAND_INS;

export interface Reply {
  readonly status: number;
  readonly body: Buffer;
}

export const BUCKETS = { 'S3 Csv': 'bench-csv', 'S3 Json': 'bench-json' } as const;
export const COLLECTION = 'usage';

/** The stand-in that a request is for; `sts`, `topic` and `probe`: a request that delivers no records. */
export function standInOf(
  path: string,
  headers: IncomingHttpHeaders,
): StandInName | 'sts' | 'topic' | 'probe' | undefined {
  if (headers['x-amz-target'] === 'Kinesis_20131202.PutRecords') return 'AwsKinesis';
  if (path === '/' && headers.authorization?.startsWith('AWS4-HMAC-SHA256')) return 'sts';
  if (path.startsWith(`/${BUCKETS['S3 Csv']}/`)) return 'S3 Csv';
  if (path.startsWith(`/${BUCKETS['S3 Json']}/`)) return 'S3 Json';
  if (path === '/webhook') return 'RestAPI';
  if (path.startsWith('/hub/messages?')) return 'EventHubs';
  if (path.endsWith(':publish')) return 'PubSub';
  if (path === '/api/v2/series') return 'Datadog usage';
  if (path === '/api/v2/logs') return 'Datadog events';
  if (path.startsWith('/3.0/projects/')) return 'KeenIO';
  if (/^\/v1\/projects\/[^/]+\/topics\/[^/:]+$/.test(path)) return 'topic';
  return path === '/api/v1/validate' || path.endsWith(':testIamPermissions') ? 'probe' : undefined;
}

/** Answers Datadog's check of a key, and Google's question about permissions. */
export const PROBE_REPLY = json(200, '{"valid":true,"permissions":["pubsub.topics.publish"]}');

/** Answers who may use a topic of Pub/Sub. */
export function topicReply(externalIds: readonly string[]): Reply {
  return json(200, JSON.stringify({ labels: { simstream_organisation: externalIds.join('_') } }));
}

function json(status: number, body: string | Buffer): Reply {
  return { status, body: typeof body === 'string' ? Buffer.from(body) : body };
}

/** Counts a text in a body; no part of the text may occur in base64 or in a record. */
function count(body: Buffer, text: string): number {
  let times = 0;
  for (let at = body.indexOf(text); at >= 0; at = body.indexOf(text, at + text.length)) times++;
  return times;
}

const putRecordsAnswer = repeated('{"FailedRecordCount":0,"Records":[', ']}', () => {
  return '{"SequenceNumber":"49590338271490256608559692538361571095921575989136588898","ShardId":"shardId-000000000000"}';
});
const publishAnswer = repeated('{"messageIds":[', ']}', (index) => `"${10_452_716_803_411_000 + index * 8}"`);
const keenAnswer = repeated(`{"${COLLECTION}":[`, ']}', () => '{"success":true}');

/** Builds the answer for a number of records, once for each number. */
function repeated(open: string, close: string, each: (index: number) => string): (times: number) => Buffer {
  const known = new Map<number, Buffer>();
  return (times) => {
    let answer = known.get(times);
    if (!answer) {
      answer = Buffer.from(open + Array.from({ length: times }, (_, index) => each(index)).join(',') + close);
      known.set(times, answer);
    }
    return answer;
  };
}
