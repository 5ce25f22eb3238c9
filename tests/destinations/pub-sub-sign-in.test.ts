import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { batchOfTexts } from '../../src/destinations/batches.fixture.ts';
import { pubSub } from '../../src/destinations/google/pub-sub.ts';
import { type HttpPeer, startHttpPeer } from '../../src/destinations/http/peer.fixture.ts';
import { openBatches, testEnvironment } from '../../src/destinations/vendor.fixture.ts';
import { temporaryDirectory } from '../support/owned.ts';

/** Google's token service and Pub/Sub, when simstream's own identity is taken away while a stream runs, and given back. */
process.env.METADATA_SERVER_DETECTION = 'none';
const before = process.env.GOOGLE_APPLICATION_CREDENTIALS;
after(() => {
  if (before === undefined) delete process.env.GOOGLE_APPLICATION_CREDENTIALS;
  else process.env.GOOGLE_APPLICATION_CREDENTIALS = before;
});

interface Google {
  readonly peer: HttpPeer;
  /** What the token service answers at /token, but not at /token/renewed; undefined: a token. */
  refusal: { status: number; error: string; words: string } | undefined;
  /** The token of the last sign-in; Pub/Sub accepts it unless `revoked` says otherwise. */
  readonly tokens: string[];
  readonly revoked: Set<string>;
  published: number;
}

async function startGoogle(t: TestContext): Promise<Google> {
  const peer = await startHttpPeer();
  t.after(() => peer.stop());
  const google: Google = { peer, refusal: undefined, tokens: [], revoked: new Set(), published: 0 };
  peer.answer(({ url, method, headers, body }, response) => {
    const answer = (status: number, value: unknown) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (url.startsWith('/token')) {
      const refusal = url.endsWith('/renewed') ? undefined : google.refusal;
      if (refusal) return answer(refusal.status, { error: refusal.error, error_description: refusal.words });
      const subject = new URLSearchParams(body.toString()).get('subject_token');
      const token = `${subject}-${google.tokens.length}`;
      google.tokens.push(token);
      const issued_token_type = 'urn:ietf:params:oauth:token-type:access_token';
      return answer(200, { access_token: token, issued_token_type, token_type: 'Bearer', expires_in: 3600 });
    }
    const token = String(headers.authorization).replace('Bearer ', '');
    if (!google.tokens.includes(token) || google.revoked.has(token)) {
      const message = 'Request had invalid authentication credentials.';
      const details = [
        { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'ACCOUNT_STATE_INVALID' },
      ];
      return answer(401, { error: { code: 401, status: 'UNAUTHENTICATED', message, details } });
    }
    if (method === 'GET') return answer(200, { labels: { simstream_organisation: 'org-70412' } });
    const { messages } = JSON.parse(body.toString()) as { messages: unknown[] };
    google.published += messages.length;
    return answer(200, { messageIds: messages.map((_, at) => String(at)) });
  });
  return google;
}

/** Workload identity federation: a file that names where the token of the platform is, and who exchanges it. */
function credentialFile(port: number, path = '/token'): { file: string; subject: (text: string) => void } {
  const directory = temporaryDirectory();
  const file = join(directory, 'credentials.json');
  const subjectFile = join(directory, 'subject');
  const subject = (text: string) => writeFileSync(subjectFile, text);
  subject('first');
  const credentials = {
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: `http://127.0.0.1:${port}${path}`,
    credential_source: { file: subjectFile },
  };
  writeFileSync(file, JSON.stringify(credentials), { mode: 0o600 });
  return { file, subject };
}

async function startStream(t: TestContext) {
  const google = await startGoogle(t);
  const { file } = credentialFile(google.peer.port);
  process.env.GOOGLE_APPLICATION_CREDENTIALS = file;
  const variables = { CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB: `http://127.0.0.1:${google.peer.port}` };
  const environment = testEnvironment(t, variables, Date.UTC(2026, 5, 1));
  const credentials = { cps_project: 'iot-records', cps_topic: 'usage', ordering_key: 'none' };
  const destination = await openBatches(pubSub, credentials, environment);
  const send = (id: number) =>
    destination.send(
      batchOfTexts('usage', [`{"id":${id},"endpoint":{"id":7},"cost":0}`]),
      new AbortController().signal,
    );
  return { google, send, file };
}

async function refusal(sending: Promise<unknown>): Promise<{ type: string; message: string }> {
  const outcome = (await sending) as { type: string; cause?: { message: string; detail?: string } };
  return { type: outcome.type, message: `${outcome.cause?.message} (${outcome.cause?.detail})` };
}

describe('PubSub: simstream’s own identity is taken away, and given back', () => {
  test('the account is disabled: Pub/Sub refuses its token, the token service refuses a new one', async (t) => {
    const { google, send } = await startStream(t);
    assert.deepEqual(await send(1), { type: 'delivered' });
    google.revoked.add(google.tokens[0] as string);
    google.refusal = {
      status: 400,
      error: 'invalid_grant',
      words: 'Invalid grant: account not found',
    };
    for (let n = 0; n < 3; n++) {
      const { type, message } = await refusal(send(2));
      assert.equal(type, 'platform', 'the customer’s stream is not put into Error for it');
      assert.match(message, /refused the sign-in.*disabled, deleted or has expired.*invalid_grant/is);
    }
    google.refusal = undefined;
    assert.deepEqual(await send(2), { type: 'delivered' });
    assert.equal(google.published, 2, 'nothing is lost, nothing comes twice');
  });

  test('other credentials in the file are used at the next try, without a restart', async (t) => {
    const { google, send, file } = await startStream(t);
    google.refusal = { status: 401, error: 'invalid_client', words: 'The OAuth client was deleted.' };
    assert.match((await refusal(send(1))).message, /refused the sign-in/);
    const renewed = credentialFile(google.peer.port, '/token/renewed');
    renewed.subject('second');
    copyFileSync(renewed.file, file);
    assert.deepEqual(await send(1), { type: 'delivered' });
    assert.match(google.tokens.at(-1) ?? '', /^second/);
  });

  test('a disabled account is named as such when only Pub/Sub knows of it', async (t) => {
    const { google, send } = await startStream(t);
    assert.deepEqual(await send(1), { type: 'delivered' });
    google.revoked.has = () => true;
    const { type, message } = await refusal(send(2));
    assert.equal(type, 'platform');
    assert.match(message, /service account of this simstream node is disabled or deleted/);
  });

  test('a token service that is out of order is no refusal', async (t) => {
    const { google, send } = await startStream(t);
    // Google's library repeats some statuses by itself for seconds, but not this one.
    google.refusal = { status: 600, error: 'backend_error', words: 'try later' };
    const { type, message } = await refusal(send(1));
    assert.equal(type, 'platform');
    assert.match(message, /does not answer this simstream node at the moment/);
    google.refusal = undefined;
    assert.deepEqual(await send(1), { type: 'delivered' });
  });

  test('a token service that cannot be reached is no refusal', async (t) => {
    const { send, file } = await startStream(t);
    const gone = await startHttpPeer();
    await gone.stop();
    copyFileSync(credentialFile(gone.port).file, file);
    const { type, message } = await refusal(send(1));
    assert.equal(type, 'platform');
    assert.match(message, /does not answer this simstream node at the moment/);
  });
});
