import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { kinesisError } from '../../../tests/support/aws-kinesis.ts';
import type { Outcome } from '../contract.ts';
import { batchOf } from '../vendor.fixture.ts';
import { causeOf, record, setUp, signal, until } from './kinesis.fixture.ts';

describe('failures of Kinesis', () => {
  const faults: [string, number, Outcome['type'], RegExp][] = [
    ['ProvisionedThroughputExceededException', 400, 'retry', /is throttling requests/],
    ['LimitExceededException', 400, 'retry', /is throttling requests/],
    ['KMSThrottlingException', 400, 'retry', /is throttling requests/],
    [
      'ResourceNotFoundException',
      400,
      'refused',
      /no active stream arn:aws:kinesis:eu-west-1:123456789012:stream\/records/,
    ],
    ['AccessDeniedException', 400, 'refused', /needs kinesis:PutRecords on arn:aws:kinesis:/],
    ['KMSAccessDeniedException', 400, 'refused', /kms:GenerateDataKey/],
    ['KMSDisabledException', 400, 'refused', /KMS key/],
    ['UnrecognizedClientException', 403, 'refused', /must be enabled in the account/],
    ['ValidationException', 400, 'rejected', /cannot take one of the records/],
    ['SomethingNewException', 400, 'refused', /refused the records/],
    ['InternalFailure', 500, 'retry', /has a fault/],
    ['ServiceUnavailable', 503, 'retry', /has a fault/],
    ['RequestEntityTooLarge', 413, 'too_large', /too large/],
  ];
  for (const [code, status, type, words] of faults) {
    test(`${code} (${status}) is ${type}`, async (t) => {
      const { kinesis, open } = await setUp(t);
      const destination = await open();
      const answer = kinesisError(code, 'in their words', status);
      kinesis.next.push(answer, answer);
      const outcome = await destination.send(batchOf('usage', [record(1, 1), record(2, 2)]), signal);
      assert.equal(outcome.type, type);
      const cause = causeOf(outcome);
      assert.equal(cause.code, code);
      assert.equal(cause.remoteStatus, status);
      assert.match(cause.message, words);
      assert.match(cause.message, /AWS said: “in their words”/);
    });
  }

  test('a wrong clock is the operator’s to set, not the customer’s fault', async (t) => {
    const { kinesis, open } = await setUp(t);
    const destination = await open();
    kinesis.next.push(
      kinesisError('InvalidSignatureException', 'Signature expired: 20260601 is now earlier', 403),
    );
    const outcome = await destination.send(batchOf('usage', [record(1)]), signal);
    assert.equal(outcome.type, 'platform');
    assert.match(causeOf(outcome).message, /clock/);
  });

  test('a connection dropped after the records were taken is tried again', async (t) => {
    const { kinesis, open } = await setUp(t);
    const destination = await open();
    kinesis.next.push('drop_after');
    const batch = batchOf('usage', [record(1)]);
    const outcome = await destination.send(batch, signal);
    assert.equal(outcome.type, 'retry');
    assert.equal(causeOf(outcome).code, 'connection_reset');
    assert.equal((await destination.send(batch, signal)).type, 'delivered');
    assert.equal((await kinesis.records('records')).length, 2);
  });

  test('no answer: after 30 seconds it is tried again', async (t) => {
    const { kinesis, open, environment } = await setUp(t);
    const destination = await open();
    kinesis.next.push('hang');
    const sending = destination.send(batchOf('usage', [record(1)]), signal);
    await until(() => kinesis.puts.length === 1);
    await environment.clock.advance(31_000);
    const outcome = await sending;
    assert.equal(outcome.type, 'retry');
    assert.equal(causeOf(outcome).code, 'timeout');
  });

  test('an abort ends a call at once', async (t) => {
    const { kinesis, open } = await setUp(t);
    const destination = await open();
    kinesis.next.push('hang');
    const stop = new AbortController();
    const sending = destination.send(batchOf('usage', [record(1)]), stop.signal);
    await until(() => kinesis.puts.length === 1);
    stop.abort();
    assert.equal((await sending).type, 'platform');
  });
});
