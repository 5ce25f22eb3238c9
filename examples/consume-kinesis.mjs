// Reads the records that a data stream puts into Amazon Kinesis, each once, in the order of its shard.
//   AWS_REGION=eu-west-1 STREAM=records node consume-kinesis.mjs
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  KinesisClient,
  ListShardsCommand,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';

const { STREAM, RECORDS = 'Infinity' } = process.env;
// HTTP/1.1 is enough for polling.
const kinesis = new KinesisClient({ requestHandler: new NodeHttpHandler() });

/** Keeps ids as text: a number of JavaScript has 53 bits. */
const exactly = (name, value, { source }) => (name === 'id' && typeof value === 'number' ? source : value);
const seen = new Set(); // In production: a unique index of your database, and the shards' places beside it.
let left = Number(RECORDS);

async function* recordsOf(shard) {
  const start = { StreamName: STREAM, ShardId: shard, ShardIteratorType: 'TRIM_HORIZON' };
  let { ShardIterator: iterator } = await kinesis.send(new GetShardIteratorCommand(start));
  while (iterator && left > 0) {
    const { Records, NextShardIterator } = await kinesis.send(
      new GetRecordsCommand({ ShardIterator: iterator }),
    );
    iterator = NextShardIterator;
    yield* Records;
    // Kinesis allows five reads a second of each shard.
    if (Records.length === 0) await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const { Shards } = await kinesis.send(new ListShardsCommand({ StreamName: STREAM }));
await Promise.all(
  Shards.map(async ({ ShardId }) => {
    for await (const { Data, PartitionKey } of recordsOf(ShardId)) {
      const record = JSON.parse(Buffer.from(Data).toString('utf8'), exactly);
      const kind = record.traffic_type ? 'usage' : record.event_type ? 'event' : 'sms';
      const name = `${kind} ${record.id}`;
      if (seen.has(name)) continue; // A record may come twice.
      seen.add(name);
      console.log(`${name} of the device ${PartitionKey}`);
      left--;
    }
  }),
);
