import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { awsKinesis } from './aws/kinesis.ts';
import { sampleBatch } from './batches.fixture.ts';
import type { Cause, DestinationType } from './contract.ts';
import { pubSub } from './google/pub-sub.ts';
import { createOpener } from './open.ts';
import { openBatches, testEnvironment } from './vendor.fixture.ts';

/** In the names and contents of files of the operator, and in the words of exceptions. */
const CANARY = 'canary-0f3a';

/** A customer reads what it means; the log has what the operator needs. */
function assertApart({ message, detail }: Cause, words = CANARY): void {
  assert.ok(!message.includes(CANARY) && !message.includes(words), message);
  assert.match(message, /operator/);
  assert.ok(detail?.includes(words), `the log lacks the details: ${detail}`);
}

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), `${CANARY}-`));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const stream = {
  id: 'a1b2c3d4',
  organisationId: 70412,
  format: 'Json',
  sealedCredentials: '',
  connectionType: 'PubSub',
} as const;

test('a connector that does not start, and credentials that do not open', async () => {
  const environment = { egress: { of: () => ({}) } } as never;
  const broken = {
    ...pubSub,
    configure: () => ({ open: () => Promise.reject(new Error(`ENOENT: /srv/${CANARY}/module.js`)) }),
  } as unknown as DestinationType;
  const types = new Map([['PubSub', broken]]);
  for (const unseal of [
    () => ({ type: 'opened', value: {} }) as const,
    () => ({ type: 'fault', message: `sealed with ${CANARY}` }) as const,
  ]) {
    const opened = await createOpener({ types, unseal, environment })(stream);
    assert.ok(opened.type === 'failed');
    assertApart(opened.cause);
  }
});

test('a key file of Google that is damaged or missing', async (t) => {
  const before = process.env.GOOGLE_APPLICATION_CREDENTIALS;
  t.after(() => {
    if (before === undefined) delete process.env.GOOGLE_APPLICATION_CREDENTIALS;
    else process.env.GOOGLE_APPLICATION_CREDENTIALS = before;
  });
  const files = ['damaged.json', 'missing.json'].map((name) => join(directory(t), name));
  writeFileSync(files[0] as string, CANARY);
  for (const file of files) {
    process.env.GOOGLE_APPLICATION_CREDENTIALS = file;
    const environment = testEnvironment(
      t,
      { CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB: 'http://127.0.0.1:1' },
      0,
    );
    const credentials = { cps_project: 'iot-records', cps_topic: 'usage', ordering_key: 'none' };
    const destination = await openBatches(pubSub, credentials, environment);
    const { signal } = new AbortController();
    const outcome = await destination.send(sampleBatch({ to: 1 }), signal);
    assert.ok(outcome.type === 'platform');
    assertApart(outcome.cause);
    const verdict = await destination.verify(signal);
    assert.ok(verdict.type === 'failed');
    assertApart(verdict.cause);
  }
});

test('a configuration of AWS that is missing', async (t) => {
  const profile = process.env.AWS_PROFILE;
  process.env.AWS_PROFILE = CANARY;
  t.after(() => {
    if (profile === undefined) delete process.env.AWS_PROFILE;
    else process.env.AWS_PROFILE = profile;
  });
  const environment = testEnvironment(t, { AWS_PROFILE: CANARY }, 0);
  const credentials = {
    ...{ region: 'eu-west-1', stream_name: 'usage' },
    role_arn: 'arn:aws:iam::123456789012:role/simstream',
  };
  const destination = await openBatches(awsKinesis, credentials, environment);
  const outcome = await destination.send(sampleBatch({ to: 1 }), new AbortController().signal);
  assert.ok(outcome.type === 'platform');
  assertApart(outcome.cause, 'Could not load credentials');
});
