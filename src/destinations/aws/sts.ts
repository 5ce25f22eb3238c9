import type { DestinationEnvironment } from '../contract.ts';
import type { BaseKeys } from './base-keys.ts';
import type { Answer, AwsCall, AwsRequest } from './call.ts';
import { endpointOf } from './endpoints.ts';
import type { Role } from './names.ts';
import { type AwsKeys, sha256 } from './sign.ts';

export interface RoleSessionParts {
  readonly role: Role;
  /** The region of the stream's resource. */
  readonly region: string;
  readonly environment: Pick<
    DestinationEnvironment,
    'organisationId' | 'streamId' | 'granted' | 'clock' | 'variables'
  >;
  readonly baseKeys: BaseKeys;
  readonly call: AwsCall;
}

export interface Sts {
  readonly region: string;
  readonly url: URL;
}

/**
 * The STS of the operator's own region where one is set, because the operator's account may not have opened that of the
 * stream's; the tokens of a regional STS are good in every region.
 */
export function stsOf({ environment, region }: RoleSessionParts): Sts {
  const { variables } = environment;
  const own = variables.AWS_REGION || variables.AWS_DEFAULT_REGION || region;
  return { region: own, url: endpointOf('sts', own, variables) };
}

/** One call of STS, signed with simstream's own keys. */
export function askSts(
  parts: RoleSessionParts,
  sts: Sts,
  base: AwsKeys,
  signal: AbortSignal,
  parameters: Readonly<Record<string, string>>,
): Promise<Answer> {
  const body = Buffer.from(new URLSearchParams({ ...parameters, Version: '2011-06-15' }).toString());
  const request: AwsRequest = {
    service: 'sts',
    region: sts.region,
    method: 'POST',
    url: sts.url,
    headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
    bodySha256: sha256(body),
    length: body.length,
    body: () => body,
  };
  return parts.call(request, base, signal);
}
