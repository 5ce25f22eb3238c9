import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { BASE_KEYS, TestSts } from './aws-sts.ts';

const ROLE = 'arn:aws:iam::123456789012:role/simstream';

describe('the STS of our tests, seen by AWS’s own client', () => {
  const cases: [name: string, secret: string, externalId: string | undefined, refused: string | undefined][] =
    [
      ['right keys and external id', BASE_KEYS.secretAccessKey, 'org-70412', undefined],
      ['another external id', BASE_KEYS.secretAccessKey, 'org-1', 'AccessDenied'],
      ['no external id', BASE_KEYS.secretAccessKey, undefined, 'AccessDenied'],
      ['another secret', 'wrong', 'org-70412', 'SignatureDoesNotMatch'],
    ];
  for (const [name, secretAccessKey, ExternalId, refused] of cases) {
    test(`${name}: ${refused ?? 'a session'}`, async (t) => {
      const sts = await TestSts.start(t, [{ arn: ROLE, externalId: 'org-70412' }]);
      const client = new STSClient({
        endpoint: sts.url,
        region: 'eu-west-1',
        credentials: { accessKeyId: BASE_KEYS.accessKeyId, secretAccessKey },
        requestHandler: new NodeHttpHandler(),
        maxAttempts: 1,
      });
      t.after(() => client.destroy());
      const command = new AssumeRoleCommand({ RoleArn: ROLE, RoleSessionName: 'test', ExternalId });
      if (refused) {
        await assert.rejects(client.send(command), { name: refused });
        return;
      }
      const { Credentials } = await client.send(command);
      assert.equal(Credentials?.AccessKeyId, sts.sessions[0]?.accessKeyId);
      assert.ok((Credentials?.Expiration?.getTime() ?? 0) > Date.now());
    });
  }
});
