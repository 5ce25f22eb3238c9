import type { RecordFailure } from '../contract.ts';
import { failureOf, type Reason, reasonOf } from '../reasons.ts';
import { type AwsFault, causeOf, type Failure, isThrottling } from './fault.ts';
import { type AwsContext, COMMON_REASONS } from './reasons.ts';
import type { KinesisTarget } from './targets.ts';

/** Why PutRecords refuses a call as a whole. */
export const KINESIS_REASONS: readonly Reason<AwsContext>[] = [
  ...COMMON_REASONS,
  {
    example: { status: 413, code: 'RequestEntityTooLarge', words: '' },
    status: [413],
    type: 'too_large',
    advice: ({ resource }) => `The request was too large for ${resource}.`,
  },
  {
    example: { status: 500, code: 'InternalFailure', words: 'Internal service failure.' },
    status: [408, 500, 502, 503, 504],
    type: 'retry',
    advice: ({ region }) => `Kinesis in ${region} has a fault; simstream tries again.`,
  },
  {
    example: {
      status: 400,
      code: 'ResourceNotFoundException',
      words: 'Stream records under account 123456789012 not found.',
    },
    code: /^ResourceNotFoundException$/,
    type: 'refused',
    advice: ({ resource }) =>
      `There is no active stream ${resource}. Check stream_name and region, and that the stream is in the account of role_arn.`,
  },
  {
    example: { status: 400, code: 'ValidationException', words: '1 validation error detected' },
    code: /^(ValidationException|InvalidArgumentException|SerializationException)$/,
    type: 'rejected',
    advice: ({ resource }) => `${resource} cannot take one of the records.`,
  },
  {
    example: { status: 400, code: 'SomethingNewException', words: 'Something new.' },
    type: 'refused',
    advice: ({ resource }) => `${resource} refused the records.`,
  },
];

/** The outcome when PutRecords refuses a call as a whole. */
export function kinesisFailure(fault: AwsFault, target: KinesisTarget): Failure {
  const reason = reasonOf(KINESIS_REASONS, fault) as Reason<AwsContext>;
  return failureOf(reason, fault, contextOf(target), 'AWS');
}

/** The failure when PutRecords does not take one record of a call. */
export function recordFailure(
  index: number,
  code: string,
  words: string,
  target: KinesisTarget,
): RecordFailure {
  const fault = {
    status: 200,
    code: /^[\w.-]{1,80}$/.test(code) ? code : 'unknown',
    words: words.slice(0, 400),
  };
  const context = contextOf(target);
  const text = isThrottling(fault)
    ? `${context.resource} has not enough capacity: a shard takes 1,000 records or 1 MiB a second. Add shards, or use on-demand mode.`
    : code.startsWith('KMS')
      ? (reasonOf(COMMON_REASONS, fault)?.advice(context) ?? '')
      : `${context.resource} did not accept the record.`;
  // None of these is about the record itself: later it may be taken.
  const cause = { code: fault.code, message: causeOf(fault, text).message };
  return { index, verdict: 'retry', cause, ...(isThrottling(fault) ? { throttled: true } : {}) };
}

export function contextOf({ region, name, role }: KinesisTarget): AwsContext {
  const arn = `arn:${role.partition}:kinesis:${region}:${role.account}:stream/${name}`;
  return {
    service: 'Kinesis',
    region,
    role: role.arn,
    resource: arn,
    permission: 'kinesis:PutRecords',
    on: arn,
  };
}
