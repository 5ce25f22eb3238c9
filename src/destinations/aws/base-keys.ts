import type { AwsKeys } from './sign.ts';

/** Where simstream's own keys come from. */
export interface BaseKeys {
  /** Throws with words for the operator when there are none. */
  get(): Promise<AwsKeys>;
  /** AWS refused them: they are looked for anew, since an operator may have replaced them. */
  discard(): void;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** One chain for all streams of a process: the metadata service of an instance answers a few requests a second only. */
const chains = new WeakMap<Variables, BaseKeys>();

/**
 * simstream's own AWS keys, by AWS's standard chain: environment, shared configuration files, web identity, container and
 * instance metadata. They may do nothing but assume the roles of customers.
 *
 * The chain's own requests (to the metadata address of the machine, say) do not obey the rules for destinations: their
 * addresses come from the operator's machine, never from a stream.
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
    discard: () => {
      provider = undefined;
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
