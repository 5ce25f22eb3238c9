import { failureOf, type Reason, reasonOf } from '../reasons.ts';
import type { AwsFault, Failure } from './fault.ts';
import { type AwsContext, COMMON_REASONS, capitalised } from './reasons.ts';
import type { BucketTarget } from './targets.ts';

/** The parts of a message about a bucket. */
interface BucketContext extends AwsContext {
  readonly bucket: string;
  /** The region of the bucket according to S3, if it is another one. */
  readonly elsewhere?: string | undefined;
}

/** The reasons for which S3 refuses an object. */
export const S3_REASONS: readonly Reason<BucketContext>[] = [
  {
    // A bucket that was made a moment ago is not yet known everywhere: S3 temporarily redirects to its place.
    example: {
      status: 307,
      code: 'TemporaryRedirect',
      words: 'Please re-send this request to the specified temporary endpoint.',
    },
    status: [307],
    code: /^(TemporaryRedirect|Redirect|http_307)$/,
    type: 'retry',
    advice: ({ bucket }) => `The bucket ${bucket} is not ready yet.`,
  },
  {
    example: {
      status: 301,
      code: 'PermanentRedirect',
      words: 'The bucket you are attempting to access must be addressed using the specified endpoint.',
    },
    code: /^(PermanentRedirect|Redirect|TemporaryRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraintException|http_30[17])$/,
    type: 'refused',
    advice: ({ bucket, region, elsewhere }) =>
      elsewhere
        ? `The bucket ${bucket} is in ${elsewhere}, not in ${region}. Set region to ${elsewhere}.`
        : `The bucket ${bucket} is in another region, not in ${region}. Correct region.`,
  },
  {
    example: { status: 503, code: 'ServiceUnavailable', words: 'Please reduce your request rate.' },
    status: [503],
    words: /reduce your request rate/i,
    type: 'retry',
    throttled: true,
    advice: ({ resource }) => `${capitalised(resource)} is throttling requests.`,
  },
  {
    example: { status: 403, code: 'AccessDenied', words: 'Bucket owner condition failed' },
    words: /bucket owner condition failed/i,
    type: 'refused',
    advice: ({ bucket }) =>
      `The bucket ${bucket} belongs to another AWS account than expected_bucket_owner says. Correct expected_bucket_owner, or check that bucket_name is your bucket.`,
  },
  ...COMMON_REASONS,
  {
    example: { status: 400, code: 'BadDigest', words: 'The checksum you specified did not match.' },
    code: /^(RequestTimeout|IncompleteBody|BadDigest|XAmzContentSHA256Mismatch|OperationAborted|ConditionalRequestConflict|InternalError|ServiceUnavailable)$/,
    type: 'retry',
    advice: ({ region }) => `S3 in ${region} did not accept the file; simstream sends it again.`,
  },
  {
    example: {
      status: 413,
      code: 'EntityTooLarge',
      words: 'Your proposed upload exceeds the maximum allowed size',
    },
    code: /^(EntityTooLarge|http_413)$/,
    type: 'too_large',
    advice: ({ bucket }) => `The file is too large for one object of ${bucket}.`,
  },
  {
    example: { status: 507, code: 'QuotaExceeded', words: 'The quota of the bucket is exceeded.' },
    code: /^(QuotaExceeded|XMinioStorageFull|InsufficientStorage|http_507)$/,
    type: 'refused',
    advice: ({ bucket }) =>
      `The bucket ${bucket} is full. Raise its quota, or delete what you no longer need.`,
  },
  {
    example: { status: 502, code: 'http_502', words: '' },
    status: [408, 500, 502, 503, 504],
    type: 'retry',
    advice: ({ region }) => `S3 in ${region} did not accept the file; simstream sends it again.`,
  },
  {
    example: { status: 404, code: 'NoSuchBucket', words: 'The specified bucket does not exist' },
    code: /^NoSuchBucket$/,
    type: 'refused',
    advice: ({ bucket, region }) =>
      `The bucket ${bucket} does not exist. Check bucket_name, or create the bucket in ${region}.`,
  },
  {
    example: { status: 400, code: 'KeyTooLongError', words: 'Your key is too long' },
    code: /^KeyTooLong(Error)?$/,
    type: 'refused',
    advice: ({ bucket }) => `The names of the files are too long for ${bucket}. Shorten key_prefix.`,
  },
  {
    example: { status: 400, code: 'AccessControlListNotSupported', words: 'The bucket does not allow ACLs' },
    code: /^AccessControlListNotSupported$/,
    type: 'refused',
    advice: ({ bucket }) =>
      `The bucket ${bucket} has access control lists off (Object Ownership: bucket owner enforced). Leave acl out, or turn lists on.`,
  },
  {
    example: {
      status: 400,
      code: 'InvalidStorageClass',
      words: 'The storage class you specified is not valid',
    },
    code: /^InvalidStorageClass$/,
    type: 'refused',
    advice: ({ bucket }) => `The store of ${bucket} does not have this storage class. Change storage_class.`,
  },
  {
    example: { status: 400, code: 'InvalidRequest', words: 'Something about the request.' },
    type: 'refused',
    advice: ({ bucket }) => `The bucket ${bucket} refused the file.`,
  },
];

/** The failure of an object that S3 refused. */
export function s3Failure(fault: AwsFault, target: BucketTarget): Failure {
  const context = contextOf(target);
  const elsewhere = fault.region && fault.region !== target.region ? fault.region : undefined;
  // A temporary redirect to another region is no matter of waiting.
  const answered = fault.status === 307 && elsewhere ? { ...fault, status: 301 } : fault;
  const reason = reasonOf(S3_REASONS, answered) as Reason<BucketContext>;
  return failureOf(reason, fault, { ...context, elsewhere }, 'AWS');
}

export function contextOf({ bucket, region, role }: BucketTarget): BucketContext {
  return {
    service: 'S3',
    region,
    bucket,
    role: role.arn,
    resource: `the bucket ${bucket}`,
    permission: 's3:PutObject',
    on: `arn:${role.partition}:s3:::${bucket}/*`,
  };
}
