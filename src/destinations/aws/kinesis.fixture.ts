import type { TestContext } from 'node:test';
import { TestKinesis } from '../../../tests/support/aws-kinesis.ts';
import { BASE_KEYS, TestSts } from '../../../tests/support/aws-sts.ts';
import type { BatchDestination, DestinationEnvironment, Outcome } from '../contract.ts';
import { openBatches, testEnvironment } from '../vendor.fixture.ts';
import { awsKinesis } from './kinesis.ts';

const NOW = Date.UTC(2026, 5, 1, 12);
const ROLE = 'arn:aws:iam::123456789012:role/simstream';
export const CREDENTIALS = { region: 'eu-west-1', stream_name: 'records', role_arn: ROLE };
export const signal = new AbortController().signal;

/** STS and Kinesis with a stream `records`, and a function that opens a connector to them. */
export async function setUp(t: TestContext) {
  const sts = await TestSts.start(t, [{ arn: ROLE, externalId: 'org-70412' }]);
  const kinesis = await TestKinesis.start(t, sts);
  await kinesis.createStream('records');
  const environment = testEnvironment(
    t,
    {
      AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
      AWS_ENDPOINT_URL_STS: sts.url,
      AWS_ENDPOINT_URL_KINESIS: kinesis.url,
    },
    NOW,
  );
  const open = (change: object = {}, more: Partial<DestinationEnvironment> = {}): Promise<BatchDestination> =>
    openBatches(awsKinesis, { ...CREDENTIALS, ...change }, { ...environment, ...more });
  return { sts, kinesis, environment, open };
}

export function record(id: number, endpoint?: number): string {
  return JSON.stringify({
    id,
    ...(endpoint === undefined ? {} : { endpoint: { id: endpoint } }),
    note: 'ä "quoted"',
  });
}

export function range(count: number, make: (n: number) => string): string[] {
  return Array.from({ length: count }, (_, n) => make(n));
}

export function causeOf(outcome: Outcome) {
  if (!('cause' in outcome)) throw new Error(`no cause in ${JSON.stringify(outcome)}`);
  return outcome.cause;
}

export async function until(done: () => boolean): Promise<void> {
  while (!done()) await new Promise((resolve) => setImmediate(resolve));
}
