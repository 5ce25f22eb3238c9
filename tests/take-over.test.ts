import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { TestKinesis } from './support/aws-kinesis.ts';
import { BASE_KEYS, TestSts } from './support/aws-sts.ts';
import { FlowWorld, numbers } from './support/flow-world.ts';
import { FIRST_ID } from './support/usage-records.ts';
import { waitFor } from './support/wait-for.ts';

/** Two receivers together get every record once, however a data stream comes from one to the other, under load. */

const GUIDE = readFileSync('docs/migrate-a-data-stream.md', 'utf8');

/** Runs a command of the guide to the letter, but for address, token, id and URL of the new receiver. */
function follow(world: FlowWorld, name: string, id: string, to: string): string {
  const [, command = ''] = new RegExp(`<!-- ${name} -->\n\`\`\`sh\n([\\s\\S]*?)\`\`\``).exec(GUIDE) ?? [];
  assert.ok(command, name);
  const text = command
    .replace('5f3a9c1e', id)
    .replace('https://new.example.com/simstream', world.receiver + to);
  const env = { ...process.env, URL: world.api.url, TOKEN: world.token };
  return execFileSync('bash', ['-euc', text], { encoding: 'utf8', env, stdio: ['ignore', 'pipe', 'ignore'] });
}

const settled = (world: FlowWorld, ...paths: string[]) => {
  const arrived = () => new Set(paths.flatMap((path) => world.of(path).records));
  const missing = () => numbers(0, world.sent).filter((record) => !arrived().has(record));
  return waitFor(
    () => `${world.sent} records, missing ${missing().slice(0, 20)}\n${world.output}`,
    () => arrived().size === world.sent || undefined,
    60_000,
  );
};

const some = (world: FlowWorld, path: string, count: number) =>
  waitFor(
    `${count} records more at ${path}`,
    (
      (before) => () =>
        world.of(path).records.length >= before + count || undefined
    )(world.of(path).records.length),
    60_000,
  );

describe('under load', { timeout: 300_000 }, () => {
  test('the commands of the guide: each record arrives once, in order, at one of the two', async (t) => {
    const world = await FlowWorld.start(t);
    const id = await world.create('/first');
    world.flow();
    await some(world, '/first', 200);
    assert.match(follow(world, 'change', id, '/second'), /^HTTP\/1.1 202/);
    await some(world, '/second', 200);
    const created = follow(world, 'take over', id, '/third');
    assert.match(created, /^HTTP\/1.1 201/);
    const next = /data_stream\/([0-9a-f]{8})/.exec(created)?.[1] as string;
    await some(world, '/third', 200);
    await world.endFlow();
    await settled(world, '/first', '/second', '/third');
    const [first, second, third] = ['/first', '/second', '/third'].map((path) => world.of(path).records);
    assert.deepEqual([...(first ?? []), ...(second ?? []), ...(third ?? [])], numbers(0, world.sent));

    const old = (await world.call(200, 'GET', `/${id}`)) as {
      taken_over_by: string;
      status: { id: number; message: string };
    };
    assert.deepEqual([old.taken_over_by, old.status.id], [next, 2]);
    assert.match(old.status.message, new RegExp(`data stream ${next} has taken over`));
    await world.call(409, 'PATCH', `/${id}`, { status: { id: 1 } });
    await world.call(202, 'DELETE', `/${next}`);
    await world.call(202, 'PATCH', `/${id}`, { status: { id: 1 } });
  });

  test('kill -9 in the middle of the take-over: nothing is lost, and only what was under way comes again', async (t) => {
    const world = await FlowWorld.start(t);
    // Before the flow: a stream without start_from gets what arrives after its creation.
    let id = await world.create('/0');
    world.flow();
    for (let round = 1; round <= 3; round++) {
      await some(world, `/${round - 1}`, 100);
      const from = world.of(`/${round}`);
      // The node is killed, perhaps before it answers.
      const creating = world.create(`/${round}`, { continue_from: id }).catch(() => undefined);
      // The later the round, the further the take-over has come.
      if (round > 1) await waitFor('created', () => creating.then(() => true));
      if (round > 2) await waitFor('it delivers', () => from.records.length > 0 || undefined);
      await world.kill();
      const made = await creating;
      await world.restart();
      if (made === undefined) {
        // The answer was lost. Either nothing was stored, or the take-over is completed without anybody's help.
        const list = (await world.call(200, 'GET', '')) as { id: string; continue_from?: string }[];
        const found = list.find(({ continue_from }) => continue_from === id);
        id = found?.id ?? (await world.create(`/${round}`, { continue_from: id }));
      } else id = made;
    }
    await some(world, '/3', 100);
    await world.endFlow();
    const paths = ['/0', '/1', '/2', '/3'];
    await settled(world, ...paths);
    const once = paths.map((path) => [...new Set(world.of(path).records)]);
    for (const records of once)
      assert.deepEqual(
        records,
        [...records].sort((a, b) => a - b),
      );
    const all = paths.flatMap((path) => world.of(path).records);
    assert.ok(all.length - world.sent <= 3 * 100 * 4, `${all.length - world.sent} came again`);
  });

  test('to another connection type: the webhook and Kinesis together hold each record once, and the way back through kill -9 loses none', async (t) => {
    const role = { arn: 'arn:aws:iam::123456789012:role/simstream', externalId: 'org-1000001' };
    const sts = await TestSts.start(t, [role]);
    const kinesis = await TestKinesis.start(t, sts);
    await kinesis.createStream('usage', 1);
    const world = await FlowWorld.start(t, {
      environment: {
        AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
        AWS_PROFILE: '',
        AWS_ENDPOINT_URL_STS: sts.url,
        AWS_ENDPOINT_URL_KINESIS: kinesis.url,
      },
    });
    const id = await world.create('/first');
    world.flow();
    await some(world, '/first', 200);
    const credentials = { region: 'eu-west-1', stream_name: 'usage', role_arn: role.arn };
    const destination = { connection_type: 'AwsKinesis', credentials };
    await world.call(202, 'PATCH', `/${id}`, { destination });
    const before = kinesis.puts.length;
    await waitFor('Kinesis gets records', () => kinesis.puts.length > before + 3 || undefined);
    const first = [...world.of('/first').records];
    assert.deepEqual(first, numbers(0, first.length));
    const inKinesis = async () =>
      (await kinesis.records('usage')).map(({ text }) => Number(/"id":(\d+)/.exec(text)?.[1]) - FIRST_ID);

    // Back to a webhook; the node dies while the one hands over to the other.
    const url = `${world.receiver}/second`;
    const back = { connection_type: 'RestAPI', credentials: { url, size: 100 } };
    await world.call(202, 'PATCH', `/${id}`, { destination: back });
    await world.kill();
    await world.restart();
    await some(world, '/second', 200);
    await world.endFlow();
    const second = world.of('/second').records;
    const stored = await inKinesis();
    const all = () => [...first, ...stored, ...second];
    await waitFor(
      () => `${new Set(all()).size} of ${world.sent}\n${world.output}`,
      () => new Set(all()).size === world.sent || undefined,
      60_000,
      100,
    );
    assert.equal(world.of('/first').records.length, first.length, 'the first one gets nothing any more');
    assert.deepEqual(
      [...new Set(second)],
      [...new Set(second)].sort((a, b) => a - b),
    );
    assert.equal(Math.min(...stored), first.length, 'Kinesis begins where the webhook ends');
    const again = all().length - world.sent;
    assert.ok(again <= MOST_UNDER_WAY, `${again} came again after the crash`);
  });
});

/** Records of the requests in flight at a crash: Kinesis gets up to 2,000 at a time. */
const MOST_UNDER_WAY = 2_500;
