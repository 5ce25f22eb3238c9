import { once } from 'node:events';
import type { Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import {
  CreateStreamCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { type Answer, forwarder, type Misbehaviour, type Owner, startServer } from './aws-front.ts';
import { checkSignature, type SignedRequest } from './aws-signature.ts';
import type { TestSts } from './aws-sts.ts';

const kinesalite = createRequire(import.meta.url)('kinesalite') as (options: object) => Server;

interface PutRecordsBody {
  readonly StreamName: string;
  Records: { readonly PartitionKey: string; readonly Data: string; readonly ExplicitHashKey?: string }[];
}

/** What a test reads back. */
interface StoredRecord {
  readonly key: string;
  readonly text: string;
}

/**
 * Kinesis: kinesalite, and before it a gate that does what kinesalite does not: checks signatures, sessions and
 * permissions, throttles some records of a call, and misbehaves when told to.
 */
export class TestKinesis {
  url = '';
  readonly region = 'eu-west-1';
  /** Calls of PutRecords that came as far as the gate, in order. */
  readonly puts: PutRecordsBody[] = [];
  /** What the next calls meet. */
  readonly next: Misbehaviour[] = [];
  /** Which records of a call are throttled; asked for each in order until one of its key is. */
  throttles: (record: PutRecordsBody['Records'][number]) => boolean = () => false;
  throttleCode = 'ProvisionedThroughputExceededException';
  allowed = true;
  /** Called with each call of PutRecords that delivers, before its fate is decided. */
  onPut: () => void = () => {};
  readonly #sts: TestSts;
  readonly #client: KinesisClient;
  readonly #forward: (request: SignedRequest) => Promise<Answer>;

  private constructor(
    sts: TestSts,
    client: KinesisClient,
    forward: (request: SignedRequest) => Promise<Answer>,
  ) {
    this.#sts = sts;
    this.#client = client;
    this.#forward = forward;
  }

  static async start(owner: Owner, sts: TestSts): Promise<TestKinesis> {
    const server = kinesalite({ createStreamMs: 5, deleteStreamMs: 5, shardLimit: 100 });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = new KinesisClient({
      endpoint: `http://127.0.0.1:${port}`,
      region: 'eu-west-1',
      credentials: { accessKeyId: 'reader', secretAccessKey: 'reader' },
      requestHandler: new NodeHttpHandler(),
    });
    const kinesis = new TestKinesis(sts, client, forwarder(owner, port));
    kinesis.url = await startServer(owner, (request) => kinesis.#answer(request));
    owner.after(() => {
      client.destroy();
      server.closeAllConnections();
      server.close();
    });
    return kinesis;
  }

  /** Makes a stream and waits until it is active. */
  async createStream(StreamName: string, ShardCount = 2): Promise<void> {
    await this.#client.send(new CreateStreamCommand({ StreamName, ShardCount }));
    for (;;) {
      const { StreamDescriptionSummary } = await this.#client.send(
        new DescribeStreamSummaryCommand({ StreamName }),
      );
      if (StreamDescriptionSummary?.StreamStatus === 'ACTIVE') return;
    }
  }

  /** All records of a stream, shard by shard, read with AWS's own client. */
  async records(StreamName: string): Promise<StoredRecord[]> {
    const { Shards = [] } = await this.#client.send(new ListShardsCommand({ StreamName }));
    const stored: StoredRecord[] = [];
    for (const { ShardId } of Shards) {
      const start = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' } as const;
      let iterator = (await this.#client.send(new GetShardIteratorCommand(start))).ShardIterator;
      while (iterator) {
        const page = await this.#client.send(
          new GetRecordsCommand({ ShardIterator: iterator, Limit: 10_000 }),
        );
        for (const { PartitionKey = '', Data = new Uint8Array() } of page.Records ?? []) {
          stored.push({ key: PartitionKey, text: Buffer.from(Data).toString() });
        }
        iterator = page.Records?.length ? page.NextShardIterator : undefined;
      }
    }
    return stored;
  }

  async #answer(request: SignedRequest): Promise<Misbehaviour> {
    const body = JSON.parse(request.body.toString()) as PutRecordsBody;
    this.puts.push(body);
    if (!isProbe(body)) this.onPut();
    const planned = isProbe(body) ? undefined : this.next.shift();
    if (planned && planned !== 'drop_after' && planned !== 'hang_after') return planned;
    const refused = this.#refusal(request, body);
    if (refused) return refused;
    const answer = await this.#put(request, body);
    return planned ?? answer;
  }

  #refusal(request: SignedRequest, body: PutRecordsBody): Answer | undefined {
    const signer = checkSignature(request, (id) => this.#sts.sessionOf(id));
    if ('refused' in signer) {
      const known = signer.refused === 'InvalidClientTokenId';
      return kinesisError(
        known ? 'UnrecognizedClientException' : 'InvalidSignatureException',
        'The security token is invalid.',
      );
    }
    const session = this.#sts.sessionOf(signer.accessKeyId);
    if (session?.expired)
      return kinesisError('ExpiredTokenException', 'The security token included in the request is expired');
    if (signer.service !== 'kinesis' || signer.region !== this.region) {
      return kinesisError('InvalidSignatureException', 'Credential should be scoped to a valid region.');
    }
    if (this.allowed) return undefined;
    return kinesisError(
      'AccessDeniedException',
      `User: ${session?.role} is not authorized to perform: kinesis:PutRecords on resource: arn:aws:kinesis:eu-west-1:123456789012:stream/${body.StreamName}`,
    );
  }

  async #put(request: SignedRequest, body: PutRecordsBody): Promise<Answer> {
    // A shard that throttles refuses what follows in the call, so also later records of the same key.
    const refused = new Set<string>();
    const throttled = body.Records.map((record) => {
      if (!isProbe(body) && (refused.has(record.PartitionKey) || this.throttles(record)))
        refused.add(record.PartitionKey);
      return refused.has(record.PartitionKey);
    });
    if (!throttled.includes(true)) return this.#forward(request);
    const kept = body.Records.filter((_, index) => !throttled[index]);
    let taken: object[] = [];
    if (kept.length > 0) {
      const bytes = Buffer.from(JSON.stringify({ ...body, Records: kept }));
      const headers = { ...request.headers, 'content-length': String(bytes.length) };
      const answer = await this.#forward({ ...request, headers, body: bytes });
      if (answer.status !== 200) return answer;
      taken = (JSON.parse(answer.body.toString()) as { Records: object[] }).Records;
    }
    const failure = {
      ErrorCode: this.throttleCode,
      ErrorMessage: 'Rate exceeded for shard shardId-000000000000 in stream s under account 123456789012.',
    };
    const Records = throttled.map((one) => (one ? failure : (taken.shift() as object)));
    return json(200, { FailedRecordCount: throttled.filter(Boolean).length, Records });
  }
}

/** What a verification sends: nothing misbehaves for it but permissions. */
function isProbe({ Records }: PutRecordsBody): boolean {
  return Records.some(({ ExplicitHashKey }) => ExplicitHashKey !== undefined);
}

export function kinesisError(code: string, message: string, status = 400): Answer {
  return json(status, { __type: code, message });
}

function json(status: number, body: object): Answer {
  return {
    status,
    headers: { 'content-type': 'application/x-amz-json-1.1' },
    body: Buffer.from(JSON.stringify(body)),
  };
}
