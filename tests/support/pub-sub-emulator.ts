import { existsSync, globSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { Agent, request } from 'undici';
import type { Owner } from './aws-front.ts';
import { freePort } from './free-port.ts';
import { spawnOwned } from './owned.ts';

/** Where Google's SDK puts its emulator of Pub/Sub; its version is in the name. */
const JARS = '/usr/lib/google-cloud-sdk/platform/pubsub-emulator/lib/cloud-pubsub-emulator-*-all.jar';

/** Why Google's own emulator cannot be run here; undefined: it can. */
export function whyNoEmulator(): string | undefined {
  if (globSync(JARS).length === 0) return 'the emulator of google-cloud-cli-pubsub-emulator is not installed';
  const paths = (process.env.PATH ?? '').split(delimiter);
  return paths.some((path) => existsSync(join(path, 'java')))
    ? undefined
    : 'there is no java to run the emulator';
}

export interface Emulator {
  /** For PUBSUB_EMULATOR_HOST. */
  readonly host: string;
  createTopic(name: string): Promise<void>;
  /** A subscription from now on, with message ordering. */
  subscribe(topic: string, subscription: string): Promise<void>;
  /** The next messages of a subscription, acknowledged. */
  pull(subscription: string): Promise<PulledMessage[]>;
}

export interface PulledMessage {
  readonly data: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly orderingKey?: string;
}

/** Starts Google's emulator on a free port; gone with its owner. */
export async function startEmulator(owner: Owner, project: string): Promise<Emulator> {
  const port = await freePort();
  const jar = globSync(JARS).sort().at(-1) as string;
  const options = ['-XX:+UseSerialGC', '-Xmx256m', '-jar', jar, '--host=127.0.0.1', `--port=${port}`];
  const child = spawnOwned('java', options, { stdio: ['ignore', 'ignore', 'pipe'] });
  owner.after(() => child.kill('SIGKILL'));
  await started(child);
  const host = `127.0.0.1:${port}`;
  const dispatcher = new Agent();
  owner.after(() => dispatcher.destroy());
  const call = async (
    method: 'PUT' | 'POST',
    path: string,
    body: object,
  ): Promise<Record<string, unknown>> => {
    const answer = await request(`http://${host}/v1/projects/${project}/${path}`, {
      method,
      dispatcher,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text}`);
    return JSON.parse(text || '{}') as Record<string, unknown>;
  };
  return {
    host,
    createTopic: async (name) => {
      await call('PUT', `topics/${name}`, {});
    },
    subscribe: async (topic, subscription) => {
      const body = { topic: `projects/${project}/topics/${topic}`, enableMessageOrdering: true };
      await call('PUT', `subscriptions/${subscription}`, { ...body, ackDeadlineSeconds: 60 });
    },
    pull: async (subscription) => {
      const path = `subscriptions/${subscription}`;
      const { receivedMessages = [] } = (await call('POST', `${path}:pull`, { maxMessages: 1000 })) as {
        receivedMessages?: { ackId: string; message: PulledMessage }[];
      };
      const ackIds = receivedMessages.map(({ ackId }) => ackId);
      if (ackIds.length > 0) await call('POST', `${path}:acknowledge`, { ackIds });
      return receivedMessages.map(({ message }) => ({
        ...message,
        data: Buffer.from(message.data, 'base64').toString(),
      }));
    },
  };
}

/** It says so on its error output once it listens. */
async function started(child: ReturnType<typeof spawnOwned>): Promise<void> {
  const ready = Promise.withResolvers<void>();
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4_000);
    if (said.includes('Server started')) ready.resolve();
  });
  child.once('error', ready.reject);
  child.once('exit', (code) => ready.reject(new Error(`the emulator ended with ${code}: ${said}`)));
  await ready.promise;
}
