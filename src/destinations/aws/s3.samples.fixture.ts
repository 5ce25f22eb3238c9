import type { ConnectorSamples } from '../samples.fixture.ts';
import { region, role_arn } from './names.fixture.ts';

export const samples: ConnectorSamples = {
  fields: {
    region,
    bucket_name: {
      valid: 'simstream-records',
      more: ['abc', 'my.bucket.1', 'b'.repeat(63)],
      malformed: ['Bucket', 'a_b', '-ab', 'ab-', 'a..b', '10.0.0.1', 's3://bucket', '***'],
    },
    role_arn,
    flush_size: { valid: 5000 },
    rotate_interval: { valid: 60_000 },
    compression: { valid: 'gzip' },
    extra_columns: { valid: ['session_id', 'imsi_id'] },
    key_prefix: {
      valid: '{kind}/dt={yyyy}-{mm}-{dd}/hour={hh}/',
      more: ['a', 'p/'.repeat(256), 'records-{stream_id}_'],
      malformed: [
        '/usage',
        'a//b/',
        '../x/',
        'a/../b',
        'Gerät/',
        'with blank/',
        '{month}/',
        '{kind',
        'a?b',
        '***',
      ],
    },
    server_side_encryption: {
      valid: 'aws:kms',
      more: [
        'AES256',
        'arn:aws:kms:eu-west-1:123456789012:alias/records',
        'arn:aws:kms:eu-west-1:123456789012:key/'.padEnd(2048, '1'),
      ],
      malformed: ['aes256', 'arn:aws:s3:::x', '1234abcd', '***'],
    },
    storage_class: { valid: 'STANDARD_IA' },
    acl: { valid: 'bucket-owner-full-control' },
    expected_bucket_owner: {
      valid: '123456789012',
      more: ['000000000000'],
      malformed: ['12345678901x', 'abcdefabcdef'],
    },
    csv_dialect: { valid: 'athena' },
    csv_timestamps: { valid: 'sql' },
    csv_formulas: { valid: 'defuse' },
  },
  typedWrongly: [
    {
      type: { region: 'eu-west-1', bucket_name: 'No_Bucket', role_arn: 'arn:aws:iam::123456789012:role/r' },
      at: 'bucket_name',
      says: /bucket/,
    },
    {
      type: {
        region: 'eu-west-1',
        bucket_name: 'bucket',
        role_arn: 'arn:aws:iam::123456789012:role/r',
        flush_size: '9',
      },
      at: 'flush_size',
      says: /10/,
    },
    {
      type: {
        region: 'eu-west-1',
        bucket_name: 'bucket',
        role_arn: 'arn:aws:iam::123456789012:role/r',
        rotate_interval: '900001',
      },
      at: 'rotate_interval',
      says: /900,?000/,
    },
  ],
};
