import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import {
  CREDENTIALS,
  causeOf,
  range,
  record,
  setUp,
  signal,
} from '../../src/destinations/aws/kinesis.fixture.ts';
import { awsKinesis } from '../../src/destinations/aws/kinesis.ts';
import { createEgress } from '../../src/destinations/egress.ts';
import { batchOf } from '../../src/destinations/vendor.fixture.ts';
import { kinesisError } from '../support/aws-kinesis.ts';

describe('delivering', () => {
  test('500 records in one call, bytes unchanged, keyed by endpoint, else by organisation', async (t) => {
    const { kinesis, open, sts } = await setUp(t);
    const destination = await open();
    const records = [...range(499, (n) => record(n, 9000 + n)), record(499)];
    const outcome = await destination.send(batchOf('event', records, 3), signal);
    assert.deepEqual(outcome, { type: 'delivered', remoteStatus: 200 });
    assert.equal(kinesis.puts.length, 1);
    const stored = await kinesis.records('records');
    assert.deepEqual(stored.map(({ text }) => text).sort(), [...records].sort());
    for (const { key, text } of stored) {
      const { id } = JSON.parse(text) as { id: number };
      assert.equal(key, id === 499 ? '70412' : String(9000 + id));
    }
    assert.equal(sts.requests[0]?.get('ExternalId'), 'org-70412');
    assert.equal(sts.sessions[0]?.sessionName, 'simstream-a1b2c3d4');
  });

  test('of more records than a call takes, calls are filled: what waited behind its key goes with others', async (t) => {
    const { kinesis, open } = await setUp(t);
    const destination = await open();
    const records = range(2_000, (n) => record(n, n % 700));
    assert.equal((await destination.send(batchOf('usage', records), signal)).type, 'delivered');
    assert.deepEqual(
      kinesis.puts.map(({ Records }) => Records.length),
      [500, 500, 500, 500],
    );
    for (const { Records } of kinesis.puts)
      assert.equal(new Set(Records.map(({ PartitionKey }) => PartitionKey)).size, 500);
    assertOrder(await kinesis.records('records'), 2_000);
  });

  test('records of one key share a call more and more while calls are taken whole, and keep their order', async (t) => {
    const { kinesis, open } = await setUp(t);
    const destination = await open();
    const records = range(20, (n) => record(n, n % 3));
    assert.equal((await destination.send(batchOf('usage', records), signal)).type, 'delivered');
    assert.deepEqual(
      kinesis.puts.map(({ Records }) => Records.length),
      [3, 6, 11],
    );
    assertOrder(await kinesis.records('records'), 20);
  });

  test('what was throttled is told apart, and what stands behind it of the same key waits', async (t) => {
    const { kinesis, open } = await setUp(t);
    const destination = await open();
    const throttled = new Set([1]);
    kinesis.throttles = ({ Data }) => throttled.has(idOf(Data));
    const batch = batchOf(
      'usage',
      range(9, (n) => record(n, n % 3)),
    );
    const outcome = await destination.send(batch, signal);
    assert.equal(outcome.type, 'partial');
    assert.ok(outcome.type === 'partial');
    assert.deepEqual(
      outcome.failures.map(({ index, verdict }) => [index, verdict]),
      [
        [1, 'retry'],
        [4, 'retry'],
        [7, 'retry'],
      ],
    );
    assert.equal(outcome.failures[0]?.cause.code, 'ProvisionedThroughputExceededException');
    assert.match(
      outcome.failures[0]?.cause.message ?? '',
      /stream\/records has not enough capacity.*Add shards/,
    );
    const stored = await kinesis.records('records');
    assert.deepEqual(stored.map(({ text }) => JSON.parse(text).id as number).sort(), [0, 2, 3, 5, 6, 8]);
  });

  test('when all are throttled, the batch is tried again as it was', async (t) => {
    const { kinesis, open } = await setUp(t);
    const destination = await open();
    kinesis.throttles = () => true;
    kinesis.throttleCode = 'InternalFailure';
    const outcome = await destination.send(
      batchOf(
        'usage',
        range(5, (n) => record(n, n)),
      ),
      signal,
    );
    assert.equal(outcome.type, 'retry');
    assert.equal(causeOf(outcome).code, 'InternalFailure');
  });

  test('a call that fails after others succeeded leaves the rest to be sent again', async (t) => {
    const { kinesis, open } = await setUp(t);
    const destination = await open();
    let calls = 0;
    kinesis.throttles = () => {
      if (++calls === 1) kinesis.next.push(kinesisError('InternalFailure', 'oops', 500));
      return false;
    };
    const outcome = await destination.send(
      batchOf(
        'usage',
        range(3, (n) => record(n, 7)),
      ),
      signal,
    );
    assert.ok(outcome.type === 'partial');
    assert.deepEqual(
      outcome.failures.map(({ index, verdict }) => [index, verdict]),
      [
        [1, 'retry'],
        [2, 'retry'],
      ],
    );
  });

  test('a record above the limit is rejected alone, before the call', async (t) => {
    const { kinesis, open } = await setUp(t);
    const destination = await open();
    const large = JSON.stringify({ id: 1, pad: 'x'.repeat(2 ** 20 - 10) });
    const fits = JSON.stringify({ id: 2, pad: 'x'.repeat(2 ** 20 - 40) });
    const outcome = await destination.send(batchOf('event', [record(0, 1), large, fits]), signal);
    assert.ok(outcome.type === 'partial');
    assert.deepEqual(
      outcome.failures.map(({ index, verdict, cause }) => [index, verdict, cause.code]),
      [[1, 'reject', 'record_too_large']],
    );
    const stored = await kinesis.records('records');
    assert.deepEqual(stored.map(({ text }) => JSON.parse(text).id as number).sort(), [0, 2]);
  });
});

describe('credentials', () => {
  test('expired ones are renewed once, and the call is made again', async (t) => {
    const { kinesis, sts, open } = await setUp(t);
    const destination = await open();
    assert.equal((await destination.send(batchOf('usage', [record(1)]), signal)).type, 'delivered');
    sts.expireSessions();
    assert.equal((await destination.send(batchOf('usage', [record(2)]), signal)).type, 'delivered');
    assert.equal(sts.sessions.length, 2);
    assert.equal(kinesis.puts.length, 3);
  });

  test('of a session that the customer revoked: the next attempt has a session of its own', async (t) => {
    const { kinesis, sts, open } = await setUp(t);
    const destination = await open();
    assert.equal((await destination.send(batchOf('usage', [record(1)]), signal)).type, 'delivered');
    const words =
      'User is not authorized to perform: kinesis:PutRecords with an explicit deny in an identity-based policy';
    kinesis.next.push(kinesisError('AccessDeniedException', words));
    assert.equal((await destination.send(batchOf('usage', [record(2)]), signal)).type, 'refused');
    assert.equal((await destination.send(batchOf('usage', [record(2)]), signal)).type, 'delivered');
    assert.equal(sts.sessions.length, 2);
  });

  test('are kept for the stream and renewed ten minutes before they expire', async (t) => {
    const { sts, open, environment } = await setUp(t);
    const destination = await open();
    const send = () => destination.send(batchOf('usage', [record(1)]), signal);
    await send();
    await environment.clock.advance(49 * 60_000);
    await send();
    assert.equal(sts.sessions.length, 1);
    await environment.clock.advance(2 * 60_000);
    await send();
    assert.equal(sts.sessions.length, 2);
  });

  test('hold on while a renewal fails, and not beyond their end', async (t) => {
    const { sts, open, environment } = await setUp(t);
    const destination = await open();
    const send = () => destination.send(batchOf('usage', [record(1)]), signal);
    await send();
    await environment.clock.advance(55 * 60_000);
    sts.next.push('drop');
    assert.equal((await send()).type, 'delivered');
    assert.equal(sts.requests.length, 2);
    assert.equal((await send()).type, 'delivered');
    assert.equal(sts.requests.length, 2, 'no new try within 30 seconds');
    await environment.clock.advance(4.5 * 60_000);
    sts.next.push('drop');
    const outcome = await send();
    assert.equal(outcome.type, 'retry');
    assert.match(causeOf(outcome).message, /127\.0\.0\.1/);
    assert.equal((await send()).type, 'delivered');
  });

  test('a renewal is shared by all who wait for it', async (t) => {
    const { sts, open } = await setUp(t);
    const destination = await open();
    const [one, other] = await Promise.all([
      destination.verify(signal),
      destination.send(batchOf('usage', [record(1)]), signal),
    ]);
    assert.equal(one.type, 'reachable');
    assert.equal(other.type, 'delivered');
    assert.equal(sts.requests.length, 1);
  });

  test('no secret is in any message', async (t) => {
    const { kinesis, sts, open } = await setUp(t);
    const destination = await open();
    await destination.send(batchOf('usage', [record(1)]), signal);
    const session = sts.sessions[0];
    assert.ok(session);
    const words = `The Access Key Id ${session.accessKeyId} you provided is not known`;
    kinesis.next.push(kinesisError('SomeException', words));
    const { message } = causeOf(await destination.send(batchOf('usage', [record(1)]), signal));
    assert.ok(!message.includes(session.accessKeyId), message);
  });
});

describe('verification', () => {
  test('needs the right to put and a stream, and stores nothing', async (t) => {
    const { kinesis, open } = await setUp(t);
    const destination = await open();
    assert.deepEqual(await destination.verify(signal), { type: 'reachable' });
    assert.deepEqual(await kinesis.records('records'), []);
    kinesis.allowed = false;
    const denied = await destination.verify(signal);
    assert.ok(denied.type === 'failed');
    assert.match(denied.cause.message, /needs kinesis:PutRecords/);
  });

  test('names the stream that does not exist', async (t) => {
    const { open } = await setUp(t);
    const destination = await open({ stream_name: 'nowhere' });
    const verdict = await destination.verify(signal);
    assert.ok(verdict.type === 'failed');
    assert.equal(verdict.cause.code, 'ResourceNotFoundException');
    assert.match(verdict.cause.message, /stream\/nowhere.*stream_name and region/);
  });

  test('a role that does not let simstream in: the statement that its trust policy needs', async (t) => {
    const { open } = await setUp(t);
    const destination = await open({}, { organisationId: 70413 });
    const verdict = await destination.verify(signal);
    assert.ok(verdict.type === 'failed');
    assert.equal(verdict.cause.code, 'AccessDenied');
    const statement = /statement: (\{.*?\})\. AWS said/.exec(verdict.cause.message)?.[1];
    assert.deepEqual(JSON.parse(statement ?? ''), {
      Effect: 'Allow',
      Principal: { AWS: 'arn:aws:iam::999999999999:role/streamer' },
      Action: 'sts:AssumeRole',
      Condition: { StringEquals: { 'sts:ExternalId': 'org-70413' } },
    });
    const outcome = await destination.send(batchOf('usage', [record(1)]), signal);
    assert.equal(outcome.type, 'refused');
  });

  test('a role that AWS finds malformed', async (t) => {
    const { open } = await setUp(t);
    const destination = await open({ role_arn: 'arn:aws:iam:1234567890:role/simstream' });
    const verdict = await destination.verify(signal);
    assert.ok(verdict.type === 'failed');
    assert.match(verdict.cause.message, /does not accept role_arn/);
  });

  test('without credentials of its own simstream says so to its operator', async (t) => {
    const { open, environment } = await setUp(t);
    const variables = { ...environment.variables, AWS_SECRET_ACCESS_KEY: 'wrong' };
    const destination = await open({}, { variables });
    const outcome = await destination.send(batchOf('usage', [record(1)]), signal);
    assert.equal(outcome.type, 'platform');
    assert.match(causeOf(outcome).message, /operator of simstream must renew them/);
    assert.ok(!causeOf(outcome).message.includes('wrong'));
  });
});

describe('roles of simstream’s own account', () => {
  /** The account of BASE_KEYS. */
  const role_arn = 'arn:aws:iam::999999999999:role/simstream';
  const outcomeWith = async (t: TestContext, granted: readonly string[]) => {
    const { open, sts } = await setUp(t);
    sts.roles.push({ arn: role_arn, externalId: 'org-70412' });
    const destination = await open({ role_arn }, { granted });
    return { sts, outcome: await destination.send(batchOf('usage', [record(1)]), signal) };
  };

  test('are not assumed, whomever they let in', async (t) => {
    for (const granted of [[], [`${role_arn}2`], ['arn:aws:iam::999999999999:role/']]) {
      const { sts, outcome } = await outcomeWith(t, granted);
      assert.equal(outcome.type, 'refused');
      assert.equal(causeOf(outcome).code, 'own_account');
      assert.match(causeOf(outcome).message, /SIMSTREAM_CLOUD_GRANTS=70412=arn:aws:iam::999999999999:role/);
      assert.equal(sts.requests.length, 0);
    }
  });

  test('are assumed where the operator has granted them', async (t) => {
    assert.equal((await outcomeWith(t, [role_arn])).outcome.type, 'delivered');
  });

  test('the account is asked for once, and a store that knows no accounts is served', async (t) => {
    const { open, sts } = await setUp(t);
    for (let n = 0; n < 2; n++) await (await open()).send(batchOf('usage', [record(n)]), signal);
    assert.deepEqual([sts.identified, sts.sessions.length], [1, 2]);
    const other = await setUp(t);
    other.sts.knowsAccounts = false;
    const outcome = await (await other.open()).send(batchOf('usage', [record(1)]), signal);
    assert.equal(outcome.type, 'delivered');
  });
});

describe('the way out', () => {
  test('obeys the address rules, to STS and to Kinesis', async (t) => {
    const { open, environment, sts, kinesis } = await setUp(t);
    const egress = createEgress({ allow: '' });
    t.after(() => egress.close());
    const closed = await open({}, { egress });
    const verdict = await closed.verify(signal);
    assert.ok(verdict.type === 'failed');
    assert.equal(verdict.cause.code, 'forbidden_address');
    assert.equal(sts.requests.length + kinesis.puts.length, 0);
    const local = createEgress({ allow: '127.0.0.0/8' });
    t.after(() => local.close());
    const open127 = await open({}, { egress: local, variables: { ...environment.variables } });
    assert.deepEqual(await open127.verify(signal), { type: 'reachable' });
  });
});

describe('configuration', () => {
  test('takes the role ARN as emnify’s examples have it', () => {
    const role_arn = 'arn:aws:iam:123456789012:role/simstream';
    const configured = awsKinesis.configure({ ...CREDENTIALS, role_arn }, 'Json');
    assert.ok(!Array.isArray(configured));
    assert.match(configured.identity, /^arn:aws:iam::123456789012:role\/simstream /);
  });

  test('names each field that is wrong', () => {
    const wrong = { region: 'eu-west-1.evil.example/', stream_name: 'a b', role_arn: 'me' };
    const faults = awsKinesis.configure(wrong, 'Json');
    assert.ok(Array.isArray(faults));
    assert.deepEqual(
      faults.map(({ path }) => path),
      ['/region', '/role_arn', '/stream_name'],
    );
  });
});

function idOf(data: string): number {
  return (JSON.parse(Buffer.from(data, 'base64').toString()) as { id: number }).id;
}

/** Each record once, and per key in ascending order. */
function assertOrder(stored: readonly { key: string; text: string }[], count: number): void {
  const last = new Map<string, number>();
  for (const { key, text } of stored) {
    const { id } = JSON.parse(text) as { id: number };
    assert.ok(id > (last.get(key) ?? -1), `record ${id} of ${key} came after ${last.get(key)}`);
    last.set(key, id);
  }
  assert.equal(stored.length, count);
}
