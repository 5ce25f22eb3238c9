import { test } from 'node:test';
import { reconcileAfterKills } from './support/ledger-reconciled.ts';

test(
  'the ledger agrees with the receiver record by record, after kill -9 under load',
  { timeout: 180_000 },
  (t) => reconcileAfterKills(t),
);
