import { s3Error } from '../../../tests/support/aws-s3.ts';
import { testHostile } from '../hostile.fixture.ts';
import { PROXY_PAGE, says } from '../hostile-rows.fixture.ts';
import { AWS, ROLE, STS_ROWS } from './aws.hostile.fixture.ts';
import { s3 } from './s3.ts';

const error = (status: number, code: string, words: string) =>
  says(status, s3Error(status, code, words).body.toString());
const denied = error(403, 'AccessDenied', 'Access Denied');

testHostile({
  ...AWS,
  type: s3,
  guide: 's3.md',
  credentials: () => ({ region: 'eu-west-1', bucket_name: 'records', role_arn: ROLE }),
  take:
    (taken) =>
    ({ body }, response) => {
      taken.push(...[...body.toString().matchAll(/^"(\d+)",/gm)].map((match) => match[1] as string));
      response.writeHead(200).end();
    },
  rows: [
    PROXY_PAGE,
    {
      what: 'throttles (SlowDown)',
      answers: [error(503, 'SlowDown', 'Reduce your request rate.')],
      type: 'retry',
      reads: /is throttling requests/,
    },
    {
      what: 'throttles (ServiceUnavailable)',
      answers: [error(503, 'ServiceUnavailable', 'Please reduce your request rate.')],
      type: 'retry',
      reads: /is throttling requests/,
    },
    {
      what: 'answers 200, and then with an error',
      answers: [error(200, 'InternalError', 'We encountered an internal error. Please try again.')],
      type: 'retry',
      reads: /sends it again/,
    },
    {
      what: 'the bucket belongs to another account than expected, for good',
      answers: [error(403, 'AccessDenied', 'Bucket owner condition failed')],
      lasting: true,
      type: 'refused',
      reads: /Correct expected_bucket_owner/,
    },
    {
      what: 'the role’s session expired on the way',
      answers: [error(400, 'ExpiredToken', 'The provided token has expired.')],
      type: 'delivered',
      reads: /^$/,
    },
    {
      what: 'the clock of the node is wrong, for good',
      answers: [
        error(
          403,
          'RequestTimeTooSkewed',
          'The difference between the request time and the current time is too large.',
        ),
      ],
      lasting: true,
      type: 'platform',
      reads: /clock of this simstream node/,
    },
    {
      what: 'the bucket was deleted',
      answers: [error(404, 'NoSuchBucket', 'The specified bucket does not exist')],
      lasting: true,
      type: 'refused',
      reads: /bucket records does not exist/,
    },
    {
      what: 'the bucket is in another region',
      answers: [says(301, '', { 'x-amz-bucket-region': 'us-east-2' })],
      lasting: true,
      type: 'refused',
      reads: /Set region to us-east-2/,
    },
    {
      what: 'the permission was taken away, and given back',
      answers: [denied, denied],
      type: 'refused',
      reads: /needs s3:PutObject/,
    },
    {
      what: 'the policy of the bucket denies it, for good',
      answers: [
        error(
          403,
          'AccessDenied',
          'User is not authorized to perform: s3:PutObject with an explicit deny in a resource-based policy',
        ),
      ],
      lasting: true,
      type: 'refused',
      reads: /Remove the Deny statement/,
    },
    {
      what: 'a bit flipped on the way (BadDigest)',
      answers: [error(400, 'BadDigest', 'The checksum you specified did not match.')],
      type: 'retry',
      reads: /sends it again/,
    },
    {
      what: 'the store has no such function (501), for good',
      answers: [
        error(501, 'NotImplemented', 'A header you provided implies functionality that is not implemented'),
      ],
      lasting: true,
      type: 'refused',
      reads: /does not support/,
    },
    {
      what: 'answers 200, and its body never ends',
      answers: [
        (request, response, take) => {
          take(request, { writeHead: () => ({ end: () => {} }) } as never);
          response.writeHead(200).write(' ');
        },
      ],
      waits: true,
      type: 'delivered',
      reads: /^$/,
    },
    ...STS_ROWS,
  ],
});
