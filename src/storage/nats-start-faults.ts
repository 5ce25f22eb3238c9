import { errors } from '@nats-io/transport-node';
import { isTransient, isWithoutJetStream, messageOf } from './nats-faults.ts';

/** Why NATS or its JetStream cannot be reached yet. */
export interface StartFault {
  /** The fault and the next step; never a secret. */
  readonly words: string;
  /** Whether waiting may help: a server that starts, a cluster that elects. */
  readonly passes: boolean;
}

/** OpenSSL's and Node's codes for certificates that are untrusted, expired, or issued for another host. */
const CERTIFICATE_CODE = /CERT|SIGNATURE|ERR_TLS/;

export function connectFault(error: unknown): StartFault {
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError) {
    const words = `it refuses the login (${messageOf(error)}): write user and password, or a token, as nats://user:password@host:4222`;
    return { words, passes: false };
  }
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && CERTIFICATE_CODE.test(code)) {
    const words = `its certificate is not trusted (${messageOf(error)}): set NODE_EXTRA_CA_CERTS to the file with the certificate of its authority`;
    return { words, passes: false };
  }
  if (error instanceof errors.ConnectionError && error.message.includes("'tls'")) {
    return { words: 'it has no TLS: write nats:// instead of tls://, or switch TLS on there', passes: false };
  }
  return { words: messageOf(error), passes: !(error instanceof errors.InvalidArgumentError) };
}

export function jetStreamFault(error: unknown): StartFault {
  if (messageOf(error).startsWith('Permissions Violation')) {
    const words = `${messageOf(error)}: simstream’s user must be allowed to publish and subscribe to $JS.API.>, $KV.>, simstream.> and _INBOX.>`;
    return { words, passes: false };
  }
  if (error instanceof Error && error.message.endsWith('for account')) {
    return { words: `${error.message}: switch it on for the account of simstream’s user`, passes: false };
  }
  if (isWithoutJetStream(error)) {
    return { words: 'it is not switched on (nats-server -js), or no server has it yet', passes: true };
  }
  return { words: messageOf(error), passes: isTransient(error) };
}
