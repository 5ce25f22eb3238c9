import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger } from '../cli/logger.ts';
import { createActivity } from '../delivery/watching/activity.ts';
import { TestWorld } from '../delivery/world.fixture.ts';
import type { Outcome } from '../destinations/contract.ts';
import { createTelemetry } from '../telemetry/create-telemetry.ts';
import { observeDelivery } from './delivery-observer.ts';

/** A running delivery whose receiver answers so, and the value of a metric of its node. */
async function delivering(outcome: Outcome) {
  const logger = createLogger({ level: 'fatal', readable: false, destination: { write: () => {} } });
  const telemetry = createTelemetry({ logger, version: '1.2.3', processMetrics: false });
  const quiet = new TestWorld();
  const w = new TestWorld({
    telemetry: observeDelivery(telemetry, createActivity(quiet.registry, quiet.clock)),
  });
  await w.organisation(1);
  await w.start();
  await w.stream('a', () => outcome);
  await w.append(
    'usage',
    [1, 2].map((id) => ({ id, organisation: 1 })),
  );
  const value = async (name: string) => {
    const line = (await telemetry.metrics()).split('\n').find((one) => one.startsWith(name));
    return line === undefined ? 0 : Number(line.split(' ').at(-1));
  };
  return { w, value };
}

test("each try that fails by simstream's own fault moves the metric that the operator watches", async () => {
  const { w, value } = await delivering({
    type: 'platform',
    cause: { code: 'RequestTimeTooSkewed', message: 'The clock of this machine is wrong.' },
  });
  await w.clock.advance(60_000);
  const first = await value('simstream_platform_faults_total');
  assert.ok(first >= 3, `${first} faults in a minute`);
  await w.clock.advance(600_000);
  assert.ok((await value('simstream_platform_faults_total')) > first);
});

test('quarantined records are counted for the operator', async () => {
  const { w, value } = await delivering({
    type: 'partial',
    failures: [{ index: 0, verdict: 'reject', cause: { code: 'no', message: 'No.' } }],
  });
  await w.clock.advance(1_000);
  assert.equal(await value('simstream_records_quarantined_total'), 1);
});
