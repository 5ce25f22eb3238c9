import { createHash } from 'node:crypto';
import { join } from 'node:path';
import {
  type DestinationEnvironment,
  type FileDestination,
  type Notes,
  type Outcome,
  type RecordFile,
  TEST_MARK,
  type Verdict,
} from '../contract.ts';
import { cancelled } from '../network-fault.ts';
import { verdictOf } from '../verify.ts';
import type { AwsRequest } from './call.ts';
import { type AwsClient, createAwsClient } from './client.ts';
import { customEndpoint, endpointOf } from './endpoints.ts';
import type { Failure } from './fault.ts';
import { encodedKey, fixedPart } from './key-prefix.ts';
import { CONTENT_TYPES, type FileForm, fileBytes, keyOf } from './record-file.ts';
import { s3Failure } from './s3-fault.ts';
import { sha256 } from './sign.ts';
import { type Spooled, SpoolFault, spool } from './spool.ts';
import type { BucketTarget } from './targets.ts';

/**
 * Opens an S3 bucket.
 *
 *  S1  The object of a file is a function of the file's first record (keyOf): storing it again overwrites it.
 *  S2  Only s3:PutObject is needed: no listing, and no multipart upload that could remain unfinished.
 *  S3  A file is written to the spool before it is sent, so memory does not grow with it.
 */
export function openBucket(
  environment: DestinationEnvironment,
  target: BucketTarget,
  form: FileForm,
): FileDestination {
  const client = createAwsClient(environment, target.role, target.region);
  const put = putter(environment, target, client);
  const scratch = scratchNames(environment);
  return {
    takes: 'files',
    verify: (signal) => verify(put, probeKey(form), signal),
    store: (file, signal) => store(file, form, scratch(), target, put, signal),
    close: async () => client.close(),
  };
}

interface Content {
  readonly type: string;
  readonly length: number;
  readonly sha256: string;
  readonly headers?: Readonly<Record<string, string>>;
  body: AwsRequest['body'];
  readonly notes?: Notes | undefined;
}

/** Puts an object. Any answer but success is a failure. */
type Put = (
  key: string,
  content: Content,
  signal: AbortSignal,
) => Promise<Failure | { type: 'taken'; status: number }>;

function putter(environment: DestinationEnvironment, target: BucketTarget, client: AwsClient): Put {
  const base = bucketUrl(environment, target);
  return async (key, content, signal) => {
    const request: AwsRequest = {
      service: 's3',
      region: target.region,
      method: 'PUT',
      url: new URL(encodedKey(key), base),
      headers: { 'content-type': content.type, ...target.headers, ...content.headers },
      bodySha256: content.sha256,
      length: content.length,
      body: content.body,
      notes: content.notes,
    };
    const answer = await client.call(request, signal);
    if (answer.type === 'failed') return answer.outcome;
    if (answer.type === 'fault') return s3Failure(answer.fault, target);
    return { type: 'taken', status: answer.status };
  };
}

/**
 * The address of the bucket's objects, with a slash at the end. The name of the bucket is part of the host, as AWS
 * wants it; but not if no certificate or name can exist for it: a name with dots, or an endpoint of the operator.
 */
function bucketUrl({ variables }: DestinationEnvironment, { region, bucket }: BucketTarget): URL {
  const endpoint = endpointOf('s3', region, variables);
  const inPath = bucket.includes('.') || customEndpoint('s3', variables) !== undefined;
  if (inPath) return new URL(`${endpoint.pathname.replace(/\/$/, '')}/${bucket}/`, endpoint);
  return new URL(`https://${bucket}.${endpoint.host}/`);
}

/** Names of files that no other stream and no other life of this one uses at the same time. */
function scratchNames({ scratchDirectory, streamId, random }: DestinationEnvironment): () => string {
  const life = Buffer.from(random.bytes(6)).toString('hex');
  let count = 0;
  return () => join(scratchDirectory, `s3-${streamId}-${life}-${++count}`);
}

async function store(
  file: RecordFile,
  form: FileForm,
  path: string,
  target: BucketTarget,
  put: Put,
  signal: AbortSignal,
): Promise<Outcome> {
  let content: Spooled;
  try {
    content = await spool(fileBytes(file, form), path, form.gzip, signal);
  } catch (error) {
    if (signal.aborted) return cancelled(`s3://${target.bucket}`);
    if (error instanceof SpoolFault) {
      return {
        type: 'platform',
        cause: {
          code: 'scratch_unavailable',
          message:
            'simstream cannot write a file of records on its own disk at the moment; it will try again.',
          detail: `On this node, ${error.message}.`,
        },
      };
    }
    throw error;
  }
  try {
    const headers = {
      // Kept with the object, so that readers can check it; and asked for by buckets with Object Lock.
      'x-amz-checksum-sha256': Buffer.from(content.sha256, 'hex').toString('base64'),
      ...(file.test ? { [`x-amz-meta-${TEST_MARK.toLowerCase()}`]: 'true' } : {}),
    };
    const type = form.gzip ? 'application/gzip' : CONTENT_TYPES[form.format];
    const { length, sha256: hash } = content;
    const { notes } = file;
    const what = { type, length, sha256: hash, headers, body: () => content.body(), notes };
    const result = await put(keyOf(file, form), what, signal);
    if (result.type === 'taken') return { type: 'delivered', remoteStatus: result.status };
    return await explained(result, length, put, probeKey(form), signal);
  } finally {
    await content.remove();
  }
}

/** A body of more than this may still be on its way when S3 has already refused it and hung up. */
const LARGE = 256 * 1024;

/**
 * A connection that broke while a large body was sent may have been a refusal that was not heard: a small request
 * shows it.
 */
async function explained(
  failure: Failure,
  length: number,
  put: Put,
  key: string,
  signal: AbortSignal,
): Promise<Failure> {
  if (length < LARGE || failure.type !== 'retry' || failure.cause.code !== 'connection_reset') return failure;
  const probed = await put(key, PROBE, signal);
  return probed.type === 'refused' ? probed : failure;
}

const PROBE_NAME = 'simstream_connection_test.txt';

/** Under the constant part of the prefix: the role may be limited to it. */
function probeKey({ prefix }: FileForm): string {
  return `${fixedPart(prefix)}${PROBE_NAME}`;
}

const PROBE_BODY = Buffer.from(
  'simstream checks whether it may write to this bucket. This object can be deleted.\n',
);
const PROBE: Content = {
  type: 'text/plain',
  length: PROBE_BODY.length,
  sha256: sha256(PROBE_BODY),
  headers: { 'content-md5': createHash('md5').update('another text').digest('base64') },
  body: () => PROBE_BODY,
};

/**
 * A PutObject with the checksum of another text: S3 checks the caller, the bucket and the rights, and then refuses it
 * with BadDigest. So the check needs the right that the stream needs, and leaves nothing in the bucket. A store that
 * does not look at checksums keeps a small object that explains itself.
 */
async function verify(put: Put, key: string, signal: AbortSignal): Promise<Verdict> {
  const result = await put(key, PROBE, signal);
  if (result.type === 'taken' || result.cause.code === 'BadDigest') return { type: 'reachable' };
  return verdictOf(result);
}
