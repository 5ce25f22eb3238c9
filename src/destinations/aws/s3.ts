import { Type } from 'typebox';
import { EXTRA_COLUMNS, type ExtraColumn } from '../../records/csv.ts';
import { CSV_TEXTS, CSV_TIMES, type CsvDialect, STANDARD_CSV } from '../../records/csv-dialect.ts';
import { type ConfigurationFault, defineDestination } from '../contract.ts';
import { awsFaults, parseRole, type Role, regionField, roleArnField } from './names.ts';
import { awsSetup } from './setup.ts';

/** AWS's rules for names of buckets, but for the prefixes and suffixes that it keeps for itself. */
const BUCKET_NAME = /^(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]$/;

const credentials = Type.Object({
  region: regionField,
  bucket_name: Type.String({
    title: 'Bucket name',
    description:
      'The bucket that the files go to. The role needs s3:PutObject on its objects, and nothing else.',
    examples: ['simstream-records'],
    minLength: 3,
    maxLength: 63,
  }),
  role_arn: roleArnField,
  flush_size: Type.Integer({
    title: 'Records per file',
    description: 'A file is closed when it has this many records …',
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
    description: 'With gzip, names of files end in .gz.',
    default: 'none',
  }),
  extra_columns: Type.Optional(
    Type.Array(Type.Enum([...EXTRA_COLUMNS]), {
      title: 'Extra columns',
      maxItems: EXTRA_COLUMNS.length,
      description: `Csv: columns to append to those that every file has, of ${EXTRA_COLUMNS.join(' and ')}.`,
    }),
  ),
  csv_dialect: Type.Optional(
    Type.Enum([...CSV_TEXTS], {
      title: 'CSV dialect',
      description:
        'Csv: standard follows RFC 4180. single_line makes line ends in texts spaces. athena also doubles backslashes, as OpenCSVSerDe needs it.',
      default: 'standard',
    }),
  ),
  csv_timestamps: Type.Optional(
    Type.Enum([...CSV_TIMES], {
      title: 'CSV timestamps',
      description:
        'Csv: iso leaves timestamps as they came in. sql writes 2026-01-31 08:15:00 in UTC, sql_ms adds three decimals.',
      default: 'iso',
    }),
  ),
  csv_formulas: Type.Optional(
    Type.Enum(['keep', 'defuse'], {
      title: 'CSV formulas',
      description:
        'Csv: defuse puts an apostrophe before texts that begin with = + - @, which spreadsheets would run as formulas.',
      default: 'keep',
    }),
  ),
});

interface Settings {
  readonly region: string;
  readonly bucket_name: string;
  readonly role_arn: string;
  readonly flush_size: number;
  readonly rotate_interval: number;
  readonly compression: 'none' | 'gzip';
  readonly extra_columns?: readonly ExtraColumn[];
  readonly csv_dialect?: CsvDialect['texts'];
  readonly csv_timestamps?: CsvDialect['times'];
  readonly csv_formulas?: 'keep' | 'defuse';
}

export const s3 = defineDestination({
  connectionType: 'S3',
  title: 'Amazon S3',
  summary: 'Stores records as CSV files, or as files of JSON lines, in an S3 bucket.',
  icon: 'M5 6c0-1.7 14-1.7 14 0s-14 1.7-14 0zM5 6l1.6 12.4c.5 1.5 10.3 1.5 10.8 0L19 6M11 12h4',
  setup: awsSetup({ name: 'bucket', action: 's3:PutObject', resource: 'arn:aws:s3:::YOUR-BUCKET/*' }),
  formats: ['Csv', 'Json'],
  credentials,
  configure(given, format) {
    const settings = given as unknown as Settings;
    const { region, bucket_name: bucket, role_arn: roleArn } = settings;
    const faults: ConfigurationFault[] = awsFaults(region, roleArn);
    if (!BUCKET_NAME.test(bucket)) {
      const message =
        'is not the name of a bucket: 3 to 63 lower-case letters, digits, hyphens and single dots';
      faults.push({ path: '/bucket_name', message });
    }
    if (faults.length > 0) return faults;
    const role = parseRole(roleArn) as Role;
    const { compression = 'none', extra_columns: extraColumns = [] } = settings;
    return {
      target: `s3://${bucket}`,
      identity: `${role.arn} ${region} ${bucket}`,
      gathering: { by: 'file', records: settings.flush_size, intervalMs: settings.rotate_interval },
      open: async (environment) => {
        const { openBucket } = await import('./s3-delivery.ts');
        const dialect = dialectOf(settings);
        const form = { format, gzip: compression === 'gzip', extraColumns, dialect };
        return openBucket(environment, { region, bucket, role }, form);
      },
    };
  },
});

/** A stream that was stored before these options existed has none of them. */
function dialectOf({ csv_dialect, csv_timestamps, csv_formulas }: Settings): CsvDialect {
  return {
    texts: csv_dialect ?? STANDARD_CSV.texts,
    times: csv_timestamps ?? STANDARD_CSV.times,
    defuse: csv_formulas === 'defuse',
  };
}
