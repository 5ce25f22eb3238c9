import type { AwsKeys } from './sign.ts';

/** The source of simstream's own keys. */
export interface BaseKeys {
  /** Throws an error for the operator if no keys are found. */
  get(): Promise<AwsKeys>;
  /** AWS refused them: looks for keys again, because the operator may have replaced them. */
  discard(): void;
  /** The account of the keys, once it was asked for. */
  account?: string | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** One chain for all streams of a process: an instance's metadata service answers only a few requests per second. */
const chains = new WeakMap<Variables, BaseKeys>();

/**
 * simstream's own AWS keys, by AWS's standard chain: environment, shared configuration files, web identity, container and
 * instance metadata. Their only right is to assume the roles of customers.
 *
 * The chain's own requests (for example to the machine's metadata address) are not subject to the rules for destinations:
 * their addresses come from the operator's machine, never from a stream.
 */
export function baseKeysOf(variables: Variables): BaseKeys {
  let chain = chains.get(variables);
  if (!chain) {
    chain = newChain(variables);
    chains.set(variables, chain);
  }
  return chain;
}

function newChain(variables: Variables): BaseKeys {
  let provider: ReturnType<typeof loadChain> | undefined;
  return {
    get: async () => {
      const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_PROFILE } = variables;
      // The chain's first step, without loading it.
      if (AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY && !AWS_PROFILE) {
        return keysOf(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN);
      }
      provider ??= loadChain();
      const { accessKeyId, secretAccessKey, sessionToken } = await (await provider)();
      return keysOf(accessKeyId, secretAccessKey, sessionToken);
    },
    discard() {
      provider = undefined;
      this.account = undefined;
    },
  };
}

async function loadChain() {
  const { defaultProvider } = await import('@aws-sdk/credential-provider-node');
  return defaultProvider({ ignoreCache: true });
}

function keysOf(accessKeyId: string, secretAccessKey: string, sessionToken: string | undefined): AwsKeys {
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}
