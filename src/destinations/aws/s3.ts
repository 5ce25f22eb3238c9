import { type Static, Type } from 'typebox';
import { EXTRA_COLUMNS } from '../../records/csv-columns.ts';
import { CSV_TEXTS, CSV_TIMES, type CsvDialect, STANDARD_CSV } from '../../records/csv-dialect.ts';
import { type ConfigurationFault, defineDestination } from '../contract.ts';
import { prefixFault } from './key-prefix.ts';
import { awsFaults, parseRole, type Role, regionField, roleArnField } from './names.ts';
import type { FileFormat } from './record-file.ts';
import { awsSetup } from './setup.ts';

/** AWS's rules for names of buckets, without its reserved prefixes and suffixes. */
const BUCKET_NAME = /^(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/;

const STORAGE_CLASSES = [
  ...(['STANDARD', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'REDUCED_REDUNDANCY'] as const),
  ...(['GLACIER_IR', 'GLACIER', 'DEEP_ARCHIVE', 'EXPRESS_ONEZONE', 'OUTPOSTS'] as const),
] as const;
const ACLS = ['private', 'bucket-owner-full-control', 'bucket-owner-read', 'authenticated-read'] as const;
/** AES256, the AWS managed key, or a key by its ARN. */
const ENCRYPTION = /^(AES256|aws:kms|arn:aws[a-z0-9-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)\/[A-Za-z0-9/_-]+)$/;

const credentials = Type.Object({
  region: regionField,
  bucket_name: Type.String({
    title: 'Bucket name',
    description: 'The bucket for the files. The role needs s3:PutObject on its objects, and nothing else.',
    examples: ['simstream-records'],
    minLength: 3,
    maxLength: 63,
  }),
  role_arn: roleArnField,
  flush_size: Type.Integer({
    title: 'Records per file',
    description: 'simstream closes a file when it has this many records …',
    default: 10_000,
    minimum: 10,
    maximum: 100_000,
  }),
  rotate_interval: Type.Integer({
    title: 'Rotation interval',
    description: '… or this long after its first record arrived, in milliseconds, whichever comes first.',
    default: 10_000,
    minimum: 10_000,
    maximum: 900_000,
  }),
  compression: Type.Enum(['none', 'gzip'], {
    title: 'Compression',
    description:
      'With gzip, names of files end in .gz. Parquet files have a compression of their own, so it has no effect on them.',
    default: 'none',
  }),
  extra_columns: Type.Optional(
    Type.Array(Type.Enum([...EXTRA_COLUMNS]), {
      title: 'Extra columns',
      maxItems: EXTRA_COLUMNS.length,
      'x-formats': ['Csv'],
      description: `Csv: columns to append to those that every file has, of ${EXTRA_COLUMNS.join(' and ')}.`,
    }),
  ),
  key_prefix: Type.Optional(
    Type.String({
      title: 'Key prefix',
      description:
        'The beginning of file names, such as folders. {kind} stands for usage or events, {yyyy} {mm} {dd} {hh} for the time (UTC) at which the first record of the file arrived, {stream_id} for the id of the stream.',
      minLength: 1,
      maxLength: 512,
      examples: ['{kind}/dt={yyyy}-{mm}-{dd}/hour={hh}/'],
    }),
  ),
  server_side_encryption: Type.Optional(
    Type.String({
      title: 'Server-side encryption',
      description:
        'AES256, aws:kms (with the AWS managed key), or the ARN of a KMS key, on which the role needs kms:GenerateDataKey. Without it, the default of the bucket applies.',
      minLength: 1,
      maxLength: 2048,
      examples: ['arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab'],
    }),
  ),
  storage_class: Type.Optional(
    Type.Enum([...STORAGE_CLASSES], {
      title: 'Storage class',
      description: 'The storage class of each file. Without it, the store decides: STANDARD in S3.',
    }),
  ),
  acl: Type.Optional(
    Type.Enum([...ACLS], {
      title: 'Access control list',
      description:
        'The access control list of each file; the role also needs s3:PutObjectAcl. New buckets have such lists off: leave it out for them.',
    }),
  ),
  expected_bucket_owner: Type.Optional(
    Type.String({
      title: 'Expected bucket owner',
      description:
        'The AWS account that the bucket must belong to, 12 digits. S3 refuses a file if another account owns the bucket of that name.',
      minLength: 12,
      maxLength: 12,
      examples: ['123456789012'],
    }),
  ),
  csv_dialect: Type.Optional(
    Type.Enum([...CSV_TEXTS], {
      title: 'CSV dialect',
      description:
        'Csv: standard follows RFC 4180. single_line replaces line ends in texts by spaces. athena also doubles backslashes, for OpenCSVSerDe.',
      'x-formats': ['Csv'],
      default: 'standard',
    }),
  ),
  csv_timestamps: Type.Optional(
    Type.Enum([...CSV_TIMES], {
      title: 'CSV timestamps',
      description:
        'Csv: iso keeps timestamps unchanged. sql writes 2026-01-31 08:15:00 in UTC, sql_ms adds three decimals.',
      'x-formats': ['Csv'],
      default: 'iso',
    }),
  ),
  csv_formulas: Type.Optional(
    Type.Enum(['keep', 'defuse'], {
      title: 'CSV formulas',
      description:
        'Csv: defuse puts an apostrophe before texts that begin with = + - @, which spreadsheets would run as formulas.',
      'x-formats': ['Csv'],
      default: 'keep',
    }),
  ),
});

type Settings = Static<typeof credentials>;

export const s3 = defineDestination({
  connectionType: 'S3',
  title: 'Amazon S3',
  summary: 'Stores records as CSV files, as files of JSON lines or as Parquet files, in an S3 bucket.',
  icon: 'M5 6c0-1.7 14-1.7 14 0s-14 1.7-14 0zM5 6l1.6 12.4c.5 1.5 10.3 1.5 10.8 0L19 6M11 12h4',
  setup: awsSetup({ name: 'bucket', action: 's3:PutObject', resource: 'arn:aws:s3:::YOUR-BUCKET/*' }),
  formats: ['Csv', 'Json', 'NdJson', 'Parquet'],
  credentials,
  configure(settings, format) {
    const { region, bucket_name: bucket, role_arn: roleArn } = settings;
    const faults: ConfigurationFault[] = awsFaults(region, roleArn);
    if (!BUCKET_NAME.test(bucket)) {
      const message =
        'is not the name of a bucket: 3 to 63 lower-case letters, digits, hyphens and single dots';
      faults.push({ path: '/bucket_name', message });
    }
    const {
      key_prefix: prefix = '',
      server_side_encryption: encryption,
      expected_bucket_owner: owner,
    } = settings;
    const prefixProblem = prefixFault(prefix);
    if (prefixProblem) faults.push({ path: '/key_prefix', message: prefixProblem });
    if (encryption !== undefined && !ENCRYPTION.test(encryption)) {
      const message = 'is not AES256, aws:kms or the ARN of a KMS key';
      faults.push({ path: '/server_side_encryption', message });
    }
    if (owner !== undefined && !/^\d{12}$/.test(owner)) {
      faults.push({ path: '/expected_bucket_owner', message: 'is not the 12 digits of an AWS account' });
    }
    const { compression = 'none', extra_columns: extraColumns = [] } = settings;
    if (faults.length > 0) return faults;
    const role = parseRole(roleArn) as Role;
    return {
      target: `s3://${bucket}`,
      identity: `${role.arn} ${region} ${bucket}`,
      gathering: { by: 'file', records: settings.flush_size, intervalMs: settings.rotate_interval },
      open: async (environment) => {
        const { openBucket } = await import('./s3-delivery.ts');
        const dialect = dialectOf(settings);
        const form = {
          format: format as FileFormat,
          gzip: compression === 'gzip' && format !== 'Parquet',
          extraColumns,
          dialect,
          prefix,
        };
        return openBucket(environment, { region, bucket, role, headers: objectHeaders(settings) }, form);
      },
    };
  },
});

/** The headers of each object. */
function objectHeaders(settings: Settings): Record<string, string> {
  const { server_side_encryption: encryption, storage_class, acl, expected_bucket_owner } = settings;
  const key = encryption?.startsWith('arn:') ? encryption : undefined;
  const headers = {
    'x-amz-server-side-encryption': key ? 'aws:kms' : encryption,
    'x-amz-server-side-encryption-aws-kms-key-id': key,
    'x-amz-storage-class': storage_class,
    'x-amz-acl': acl,
    'x-amz-expected-bucket-owner': expected_bucket_owner,
  };
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined)) as Record<
    string,
    string
  >;
}

/** A stream from before these options existed has none of them. */
function dialectOf({ csv_dialect, csv_timestamps, csv_formulas }: Settings): CsvDialect {
  return {
    texts: csv_dialect ?? STANDARD_CSV.texts,
    times: csv_timestamps ?? STANDARD_CSV.times,
    defuse: csv_formulas === 'defuse',
  };
}
