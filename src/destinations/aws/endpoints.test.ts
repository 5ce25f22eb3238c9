import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { KinesisClient } from '@aws-sdk/client-kinesis';
import { S3Client } from '@aws-sdk/client-s3';
import { STSClient } from '@aws-sdk/client-sts';
import { endpointOf } from './endpoints.ts';
import { awsFaults } from './names.ts';

const REGIONS = [
  ...[
    'us-east-1',
    'eu-west-1',
    'ap-southeast-7',
    'il-central-1',
    'mx-central-1',
    'cn-north-1',
    'cn-northwest-1',
  ],
  ...['us-gov-west-1', 'us-gov-east-1', 'us-iso-east-1', 'us-iso-west-1', 'us-isob-east-1', 'us-isob-west-1'],
  ...['eu-isoe-west-1', 'us-isof-south-1', 'us-isof-east-1', 'eusc-de-east-1', 'xx-new-9'],
];
/** What AWS's own clients make of a region. */
const RESOLVERS = {
  kinesis: (region: string, options: object) => resolverOf(new KinesisClient({ region }), options),
  s3: (region: string, options: object) =>
    resolverOf(new S3Client({ region }), { ...options, Bucket: 'bucket' }),
  sts: (region: string, options: object) =>
    resolverOf(new STSClient({ region }), { ...options, UseGlobalEndpoint: false }),
};

interface Client {
  readonly config: object;
}

function resolverOf({ config }: Client, options: object): string {
  const { endpointProvider } = config as { endpointProvider(options: object): { url: URL } };
  try {
    return endpointProvider(options).url.host.replace(/^bucket\./, '');
  } catch {
    return 'none';
  }
}

function hostOf(...args: Parameters<typeof endpointOf>): string {
  try {
    return endpointOf(...args).host;
  } catch {
    return 'none';
  }
}

describe('the endpoints of AWS', () => {
  for (const service of ['kinesis', 's3', 'sts'] as const) {
    for (const fips of [false, true]) {
      for (const dualStack of [false, true]) {
        test(`${service} is where AWS’s client looks for it, FIPS ${fips}, dual stack ${dualStack}`, () => {
          for (const region of REGIONS) {
            const wanted = RESOLVERS[service](region, {
              Region: region,
              UseFIPS: fips,
              UseDualStack: dualStack,
            });
            const variables = {
              AWS_USE_FIPS_ENDPOINT: String(fips),
              AWS_USE_DUALSTACK_ENDPOINT: dualStack ? 'TRUE' : undefined,
            };
            assert.equal(hostOf(service, region, variables), wanted, region);
          }
        });
      }
    }
  }

  test('an endpoint of the operator comes first', () => {
    const variables = { AWS_ENDPOINT_URL_S3: 'http://store:9000', AWS_USE_FIPS_ENDPOINT: 'true' };
    assert.equal(endpointOf('s3', 'eu-west-1', variables).host, 'store:9000');
    assert.equal(endpointOf('sts', 'eu-west-1', variables).host, 'sts-fips.eu-west-1.amazonaws.com');
  });
});

test('a role of another partition than the region is refused at once', () => {
  const faults = (region: string, partition: string) =>
    awsFaults(region, `arn:${partition}:iam::123456789012:role/simstream`).map(({ path }) => path);
  for (const [region, partition] of [
    ...[
      ['eu-west-1', 'aws'],
      ['cn-north-1', 'aws-cn'],
      ['us-gov-west-1', 'aws-us-gov'],
      ['r', 'aws'],
    ],
    ...[
      ['us-iso-east-1', 'aws-iso'],
      ['us-isob-east-1', 'aws-iso-b'],
      ['eu-isoe-west-1', 'aws-iso-e'],
    ],
    ...[
      ['us-isof-south-1', 'aws-iso-f'],
      ['eusc-de-east-1', 'aws-eusc'],
    ],
  ] as [string, string][]) {
    assert.deepEqual(faults(region, partition), [], region);
    const other = partition === 'aws' ? 'aws-cn' : 'aws';
    assert.deepEqual(faults(region, other), ['/role_arn'], region);
  }
  const [fault] = awsFaults('eu-west-1', 'arn:aws-cn:iam::123456789012:role/simstream');
  assert.match(fault?.message ?? '', /aws-cn.*eu-west-1.*aws\b/);
});
