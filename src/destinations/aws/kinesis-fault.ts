import type { RecordFailure } from '../contract.ts';
import {
  type AwsFault,
  CLOCK_IS_OFF,
  causeOf,
  type Failure,
  isAboutKeys,
  isAboutTime,
  isThrottling,
  throttled,
} from './fault.ts';
import type { KinesisTarget } from './targets.ts';

/** What it means that PutRecords refused a call as a whole. */
export function kinesisFailure(fault: AwsFault, target: KinesisTarget): Failure {
  const arn = streamArn(target);
  const { code, status } = fault;
  const outcome = (type: Failure['type'], text: string): Failure => ({ type, cause: causeOf(fault, text) });
  if (isAboutTime(fault)) {
    return outcome('platform', CLOCK_IS_OFF);
  }
  if (isThrottling(fault)) return throttled(fault, `${arn} takes no more records for now.`);
  if (status === 413) return outcome('too_large', `The request was too large for ${arn}.`);
  if (status >= 500) return outcome('retry', `Kinesis in ${target.region} has a fault; it is tried again.`);
  if (code === 'ResourceNotFoundException') {
    return outcome(
      'refused',
      `There is no active stream ${arn}. Check stream_name and region, and that the stream is in the account of role_arn.`,
    );
  }
  if (code === 'AccessDeniedException' || code === 'AccessDenied') {
    return outcome(
      'refused',
      `The role ${target.role.arn} lacks a permission: it needs kinesis:PutRecords on ${arn}.`,
    );
  }
  if (code.startsWith('KMS')) return outcome('refused', keyProblem(target));
  if (isAboutKeys(fault)) {
    return outcome(
      'refused',
      `Kinesis in ${target.region} does not accept the credentials of ${target.role.arn}. Check region; a region that must be opted in must be enabled in the account.`,
    );
  }
  if (RECORD_CODES.has(code)) return outcome('rejected', `${arn} cannot take one of the records.`);
  return outcome('refused', `${arn} refused the records.`);
}

/** What can be wrong with a record alone. */
const RECORD_CODES = new Set(['ValidationException', 'InvalidArgumentException', 'SerializationException']);

/** What it means that PutRecords did not take one record of a call. */
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
  const arn = streamArn(target);
  const text = isThrottling(fault)
    ? `${arn} has not enough capacity: a shard takes 1,000 records or 1 MiB a second. Add shards, or use on-demand mode.`
    : code.startsWith('KMS')
      ? keyProblem(target)
      : `${arn} did not take the record.`;
  // None of these is about the record itself: later it may be taken.
  return { index, verdict: 'retry', cause: { code: fault.code, message: causeOf(fault, text).message } };
}

function keyProblem({ name, role }: KinesisTarget): string {
  return `The stream ${name} is encrypted with a KMS key that cannot be used. The role ${role.arn} needs kms:GenerateDataKey on the key, and the key must be enabled.`;
}

function streamArn({ region, name, role }: KinesisTarget): string {
  return `arn:${role.partition}:kinesis:${region}:${role.account}:stream/${name}`;
}
