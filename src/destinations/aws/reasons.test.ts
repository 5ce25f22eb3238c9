import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { reasonTable, testGuideTable } from '../guide.fixture.ts';
import { testReasons } from '../reasons.fixture.ts';
import type { Answered } from '../reasons.ts';
import { ASSUME_REASONS, assumeFailure } from './assume-failure.ts';
import { FOREIGN, readFault } from './fault.ts';
import * as kinesis from './kinesis-fault.ts';
import { parseRole, type Role } from './names.ts';
import * as s3 from './s3-fault.ts';
import type { RoleSessionParts } from './sts.ts';

const role = parseRole('arn:aws:iam::123456789012:role/simstream') as Role;
const STREAM = { region: 'eu-west-1', name: 'records', role };
const BUCKET = { region: 'eu-west-1', bucket: 'records', role };
const none = () => undefined;
const html = (words: string) => `<!DOCTYPE html><html><body>${words}</body></html>`;

/** The answer as it comes over the wire. */
function faultOf({ status, code, words }: Answered, form: 'json' | 'xml') {
  if (code === FOREIGN) return readFault(status, html(words), none);
  const plain = /^http_/.test(code);
  const escaped = words.replaceAll('"', '&quot;');
  const xml = `<Error><Code>${code}</Code><Message>${escaped}</Message></Error>`;
  const text = form === 'json' ? JSON.stringify({ __type: code, message: words }) : xml;
  return readFault(status, plain ? '' : text, none);
}

testGuideTable('aws-kinesis.md', 'reasons', () =>
  reasonTable(kinesis.KINESIS_REASONS, kinesis.contextOf(STREAM)),
);
testGuideTable('s3.md', 'reasons', () => reasonTable(s3.S3_REASONS, s3.contextOf(BUCKET)));

describe('why STS gives no keys of a role', () => {
  const context = {
    role: role.arn,
    organisationId: 7,
    region: 'eu-west-1',
    words: 'User: arn:aws:iam::999999999999:user/streamer',
  };
  testReasons(ASSUME_REASONS, context, (answered) => {
    const parts = { role, environment: { organisationId: 7 } } as RoleSessionParts;
    const sts = { region: 'eu-west-1', url: new URL('https://sts.eu-west-1.amazonaws.com') };
    return assumeFailure(parts, sts, faultOf(answered, 'xml'));
  });
});

describe('why Kinesis refuses', () => {
  testReasons(kinesis.KINESIS_REASONS, kinesis.contextOf(STREAM), (answered) =>
    kinesis.kinesisFailure(faultOf(answered, 'json'), STREAM),
  );
});

describe('why S3 refuses', () => {
  testReasons(s3.S3_REASONS, s3.contextOf(BUCKET), (answered) =>
    s3.s3Failure(faultOf(answered, 'xml'), BUCKET),
  );

  test('a redirect to another region is final, whatever its status', () => {
    for (const status of [301, 307]) {
      const fault = readFault(
        status,
        '<Error><Code>TemporaryRedirect</Code><Region>us-east-2</Region></Error>',
        none,
      );
      const { type, cause } = s3.s3Failure(fault, BUCKET);
      assert.equal(type, 'refused');
      assert.match(cause.message, /Set region to us-east-2\./);
    }
  });
});
