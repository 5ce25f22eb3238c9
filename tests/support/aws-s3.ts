import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { buildApp } from 'fauxqs';
import { type Answer, forwarder, type Misbehaviour, type Owner, startServer } from './aws-front.ts';
import { checkSignature, type SignedRequest } from './aws-signature.ts';
import type { TestSts } from './aws-sts.ts';

interface StoredObject {
  readonly key: string;
  readonly bytes: Buffer;
  readonly contentType: string | undefined;
}

/** What came to the gate, whatever became of it. */
interface SeenPut {
  readonly path: string;
  readonly headers: SignedRequest['headers'];
  readonly length: number;
}

/**
 * S3: fauxqs, and before it a gate that does what fauxqs does not: checks signatures, sessions, permissions, regions and
 * checksums, and misbehaves when told to.
 */
export class TestS3 {
  url = '';
  readonly region = 'eu-west-1';
  readonly puts: SeenPut[] = [];
  /** What the next requests meet. */
  readonly next: Misbehaviour[] = [];
  allowed = true;
  /** How many objects were taken. */
  stored = 0;
  readonly #sts: TestSts;
  readonly #client: S3Client;
  readonly #forward: (request: SignedRequest) => Promise<Answer>;

  private constructor(sts: TestSts, client: S3Client, forward: (request: SignedRequest) => Promise<Answer>) {
    this.#sts = sts;
    this.#client = client;
    this.#forward = forward;
  }

  static async start(owner: Owner, sts: TestSts): Promise<TestS3> {
    const app = buildApp({ logger: false });
    await app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = app.server.address() as AddressInfo;
    const client = new S3Client({
      endpoint: `http://127.0.0.1:${port}`,
      region: 'eu-west-1',
      forcePathStyle: true,
      credentials: { accessKeyId: 'reader', secretAccessKey: 'reader' },
    });
    const s3 = new TestS3(sts, client, forwarder(owner, port));
    s3.url = await startServer(owner, (request) => s3.#answer(request));
    owner.after(async () => {
      client.destroy();
      app.server.closeAllConnections();
      await app.close();
    });
    return s3;
  }

  async createBucket(Bucket: string): Promise<void> {
    await this.#client.send(new CreateBucketCommand({ Bucket }));
  }

  /** All objects of a bucket, read with AWS's own client. */
  async objects(Bucket: string): Promise<StoredObject[]> {
    const { Contents = [] } = await this.#client.send(new ListObjectsV2Command({ Bucket }));
    const objects: StoredObject[] = [];
    for (const { Key = '' } of Contents) {
      const { Body, ContentType } = await this.#client.send(new GetObjectCommand({ Bucket, Key }));
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      objects.push({ key: Key, bytes, contentType: ContentType });
    }
    return objects;
  }

  async #answer(request: SignedRequest): Promise<Misbehaviour> {
    this.puts.push({ path: request.path, headers: request.headers, length: request.body.length });
    const planned = this.next.shift();
    if (planned && planned !== 'drop_after' && planned !== 'hang_after') return planned;
    const refused = this.#refusal(request);
    if (refused) return refused;
    const answer = await this.#forward(request);
    this.stored++;
    return planned ?? answer;
  }

  #refusal({ ...request }: SignedRequest): Answer | undefined {
    const { headers, body } = request;
    const signer = checkSignature(request, (id) => this.#sts.sessionOf(id));
    if ('refused' in signer) {
      const unknown = signer.refused === 'InvalidClientTokenId';
      return s3Error(
        403,
        unknown ? 'InvalidAccessKeyId' : signer.refused,
        'The request is not signed as it must be.',
      );
    }
    if (signer.service !== 's3' || signer.region !== this.region) {
      const message = `The authorization header is malformed; the region '${signer.region}' is wrong; expecting '${this.region}'`;
      return s3Error(400, 'AuthorizationHeaderMalformed', message, `<Region>${this.region}</Region>`);
    }
    if (this.#sts.sessionOf(signer.accessKeyId)?.expired) {
      return s3Error(400, 'ExpiredToken', 'The provided token has expired.');
    }
    if (!this.allowed || request.method !== 'PUT') return s3Error(403, 'AccessDenied', 'Access Denied');
    const checks = [
      ['content-md5', 'md5'],
      ['x-amz-checksum-sha256', 'sha256'],
    ] as const;
    for (const [header, algorithm] of checks) {
      const stated = headers[header];
      if (stated === undefined || stated === createHash(algorithm).update(body).digest('base64')) continue;
      return s3Error(400, 'BadDigest', 'The checksum you specified did not match what we received.');
    }
    return undefined;
  }
}

export function s3Error(status: number, code: string, message: string, more = '', headers = {}): Answer {
  return {
    status,
    headers: { 'content-type': 'application/xml', ...headers },
    body: Buffer.from(
      `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message>${more}<RequestId>1</RequestId></Error>`,
    ),
  };
}
