import type { DestinationEnvironment } from '../contract.ts';
import { baseKeysOf } from './base-keys.ts';
import { type Answer, type AwsRequest, awsCaller } from './call.ts';
import { isAboutKeys, isDenied } from './fault.ts';
import type { Role } from './names.ts';
import { RoleSession } from './role-session.ts';

/** Makes calls in the name of a customer's role. */
export interface AwsClient {
  call(request: AwsRequest, signal: AbortSignal): Promise<Answer>;
  close(): void;
}

/** The client of one stream: base credentials, the role's session, signing, and one renewal when a service refuses the keys. */
export function createAwsClient(environment: DestinationEnvironment, role: Role, region: string): AwsClient {
  const call = awsCaller(environment);
  const baseKeys = baseKeysOf(environment.variables);
  const session = new RoleSession({ role, region, environment, baseKeys, call });
  const attempt = async (request: AwsRequest, signal: AbortSignal, again: boolean): Promise<Answer> => {
    const result = await session.keys(signal);
    if (result.type === 'failed') return result;
    const answer = await call(request, result.keys, signal);
    if (answer.type !== 'fault') return answer;
    const renewable = isAboutKeys(answer.fault);
    // A customer who revokes a role's sessions denies those from before that moment: the next attempt has a new one.
    if (renewable || isDenied(answer.fault)) session.discard(result.keys);
    if (!renewable) return answer;
    return again ? attempt(request, signal, false) : answer;
  };
  return { call: (request, signal) => attempt(request, signal, true), close: () => session.close() };
}
