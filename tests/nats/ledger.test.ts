import { test } from 'node:test';
import { reconcileAfterKills } from '../support/ledger-reconciled.ts';
import { natsMissing, startNats } from '../support/nats-server.ts';

test('the ledger agrees with the receiver record by record, after kill -9 under load', {
  skip: natsMissing(),
  timeout: 180_000,
}, async (t) => {
  const nats = await startNats();
  t.after(() => nats.dispose());
  const secret = Buffer.alloc(32, 7).toString('base64');
  await reconcileAfterKills(t, { SIMSTREAM_NATS_URL: nats.urls.join(','), SIMSTREAM_SECRET: secret });
});
