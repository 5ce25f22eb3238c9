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
import type { BucketTarget } from './targets.ts';

/** What it means that S3 did not take an object. */
export function s3Failure(fault: AwsFault, target: BucketTarget): Failure {
  const { code, status } = fault;
  const { bucket, region, role } = target;
  const outcome = (type: Failure['type'], text: string): Failure => ({ type, cause: causeOf(fault, text) });
  if (isAboutTime(fault)) return outcome('platform', CLOCK_IS_OFF);
  if (isThrottling(fault)) return throttled(fault, `The bucket ${bucket} takes no more requests for now.`);
  if (REGION_CODES.has(code)) return elsewhere(fault, target);
  if (status >= 500 || RETRY_CODES.has(code)) {
    return outcome('retry', `S3 in ${region} did not take the file; it is sent again.`);
  }
  if (code === 'NoSuchBucket') {
    return outcome(
      'refused',
      `There is no bucket ${bucket}. Check bucket_name, or create the bucket in ${region}.`,
    );
  }
  if (code === 'AccessDenied' || code === 'AllAccessDisabled') {
    return outcome(
      'refused',
      `The role ${role.arn} lacks a permission: it needs s3:PutObject on arn:${role.partition}:s3:::${bucket}/* (and kms:GenerateDataKey on the key, if the bucket is encrypted with a KMS key), and the policy of the bucket must not deny it.`,
    );
  }
  if (code.startsWith('KMS')) {
    return outcome(
      'refused',
      `The bucket ${bucket} is encrypted with a KMS key that cannot be used. The role ${role.arn} needs kms:GenerateDataKey on the key, and the key must be enabled.`,
    );
  }
  if (isAboutKeys(fault)) {
    return outcome(
      'refused',
      `S3 in ${region} does not accept the credentials of ${role.arn}. Check region; a region that must be opted in must be enabled in the account.`,
    );
  }
  if (status === 413 || code === 'EntityTooLarge') {
    return outcome('too_large', `The file is too large for one object of ${bucket}.`);
  }
  return outcome('refused', `The bucket ${bucket} refused the file.`);
}

/** The bucket is in another region than was asked. */
const REGION_CODES = new Set([
  'PermanentRedirect',
  'Redirect',
  'TemporaryRedirect',
  'AuthorizationHeaderMalformed',
  'IllegalLocationConstraintException',
  'http_301',
  'http_307',
]);

/** Faults of one request, with a status below 500. */
const RETRY_CODES = new Set([
  'RequestTimeout',
  'IncompleteBody',
  'BadDigest',
  'XAmzContentSHA256Mismatch',
  'OperationAborted',
  'ConditionalRequestConflict',
]);

function elsewhere(fault: AwsFault, { bucket, region }: BucketTarget): Failure {
  // A bucket that was made a moment ago is not yet known everywhere, and S3 points to where it is for the time being.
  if (fault.status === 307 && (fault.region === undefined || fault.region === region)) {
    return { type: 'retry', cause: causeOf(fault, `The bucket ${bucket} is not ready yet.`) };
  }
  const where = fault.region && fault.region !== region ? `in ${fault.region}` : 'in another region';
  const next = fault.region && fault.region !== region ? `Set region to ${fault.region}.` : 'Correct region.';
  return {
    type: 'refused',
    cause: causeOf(fault, `The bucket ${bucket} is ${where}, not in ${region}. ${next}`),
  };
}
