import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RouteRequest } from '../route.ts';
import { dataStreamPlatformRoute, type PlatformParts } from './platform.ts';

const externalIdOf = (organisationId: number) => `org-${organisationId}`;

const ask = async (platform: PlatformParts['platform']) => {
  const route = dataStreamPlatformRoute({
    retentionMs: 90_500,
    ...(platform === undefined ? {} : { platform }),
  });
  const answer = await route.handler({ identity: { organisationId: 70412 } } as unknown as RouteRequest<
    never,
    never,
    never,
    never
  >);
  return answer.body;
};

test('an organisation is told whom to let in, with its own external id', async () => {
  const account = { awsPrincipal: '123456789012', googleServiceAccount: 'a@b.example', externalIdOf };
  assert.deepEqual(await ask(account), {
    aws_principal: 'arn:aws:iam::123456789012:root',
    aws_external_id: 'org-70412',
    google_service_account: 'a@b.example',
    retention_seconds: 90,
  });
  const role = 'arn:aws:iam::123456789012:role/streams';
  assert.deepEqual(await ask({ ...account, awsPrincipal: role }), {
    aws_principal: role,
    aws_external_id: 'org-70412',
    google_service_account: 'a@b.example',
    retention_seconds: 90,
  });
});

test('what the operator has not said is null', async () => {
  const none = { awsPrincipal: undefined, googleServiceAccount: undefined, externalIdOf };
  assert.deepEqual(await ask(none), {
    aws_principal: null,
    aws_external_id: 'org-70412',
    google_service_account: null,
    retention_seconds: 90,
  });
});
