import { hash, hkdfSync, randomUUID } from 'node:crypto';
import { chmod, link, open, readFile, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Random } from '../lib/clock.ts';
import { fileFault } from '../lib/file-fault.ts';
import { makeDirectory } from '../lib/make-directory.ts';

/**
 * The node's secret: 32 bytes. The node derives one key per purpose from it, so that a leaked key reveals nothing about the
 * other keys. During a rotation, the previous secret still opens and verifies.
 */
export interface Secrets {
  readonly current: Secret;
  readonly previous?: Secret;
}

export interface Secret {
  /** Names the secret without revealing it: 8 hex digits. */
  readonly id: string;
  /** The key for one purpose, `length` bytes long. */
  key(purpose: Purpose, length: number): Buffer;
}

export type Purpose =
  | 'key id'
  | 'sealing'
  | 'auth token'
  | 'refresh token'
  | 'mfa token'
  | 'set-up token'
  | 'operator token';

type Loaded<T> = { readonly type: 'loaded' } & T;
/** A fault that the operator must fix. It never contains the secret. */
interface SecretFault {
  readonly type: 'fault';
  readonly message: string;
}

/** HKDF and HS384 need as much entropy as their keys' strength: 256 bits. */
const SECRET_BYTES = 32;
const OPERATOR_TOKEN_BYTES = 32;
const SECRET_FILE = 'secret';
const OPERATOR_TOKEN_FILE = 'operator-token';

/** The secret of 32 raw bytes. */
export function secretOf(bytes: Uint8Array): Secret {
  if (bytes.length !== SECRET_BYTES)
    throw new Error(`a secret has ${SECRET_BYTES} bytes, not ${bytes.length}`);
  const derive = (purpose: Purpose, length: number) =>
    Buffer.from(hkdfSync('sha256', bytes, 'simstream', purpose, length));
  return { id: derive('key id', 4).toString('hex'), key: derive };
}

/**
 * Reads a configured secret: 32 bytes in base64 or base64url.
 * @param name the name of its variable, for the fault's message
 */
export function parseSecret(text: string, name: string): Loaded<{ secret: Secret }> | SecretFault {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed, 'base64');
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed) || bytes.length !== SECRET_BYTES) {
    return {
      type: 'fault',
      message: `${name} must be ${SECRET_BYTES} bytes in base64 (make one with: openssl rand -base64 32)`,
    };
  }
  return { type: 'loaded', secret: secretOf(bytes) };
}

interface SecretSources {
  /** SIMSTREAM_SECRET. */
  readonly given: string | undefined;
  /** SIMSTREAM_SECRET_PREVIOUS. */
  readonly previous: string | undefined;
  /** The directory for a generated secret; undefined if nodes share a secret, which must then be configured. */
  readonly directory: string | undefined;
}

/** The node's secrets: from the configuration, or from the data directory, or generated there. */
export async function loadSecrets(
  sources: SecretSources,
  random: Random,
): Promise<Loaded<{ secrets: Secrets }> | SecretFault> {
  const current = await loadCurrent(sources, random);
  if (current.type === 'fault') return current;
  if (!sources.previous) return { type: 'loaded', secrets: { current: current.secret } };
  const previous = parseSecret(sources.previous, 'SIMSTREAM_SECRET_PREVIOUS');
  if (previous.type === 'fault') return previous;
  return { type: 'loaded', secrets: { current: current.secret, previous: previous.secret } };
}

async function loadCurrent(
  { given, directory }: SecretSources,
  random: Random,
): Promise<Loaded<{ secret: Secret }> | SecretFault> {
  if (given) return parseSecret(given, 'SIMSTREAM_SECRET');
  if (directory === undefined) {
    return {
      type: 'fault',
      message:
        'SIMSTREAM_SECRET must be set, to the same value on every node (make one with: openssl rand -base64 32)',
    };
  }
  const file = join(directory, SECRET_FILE);
  const kept = await readOrCreate(file, () => Buffer.from(random.bytes(SECRET_BYTES)).toString('base64'));
  return parseSecret(kept.text, file);
}

interface OperatorTokenSources {
  /** SIMSTREAM_OPERATOR_TOKEN. */
  readonly given: string | undefined;
  readonly directory: string;
  /** Set if several nodes share a secret: all nodes derive the same token from it. */
  readonly shared?: Secret;
}

/**
 * The bearer token of the operator API. `generated` is true only at the start that stored it, so that it is printed once.
 */
export async function loadOperatorToken(
  { given, directory, shared }: OperatorTokenSources,
  random: Random,
): Promise<Loaded<{ token: string; generated: boolean }> | SecretFault> {
  if (given) return checkOperatorToken(given, 'SIMSTREAM_OPERATOR_TOKEN', false);
  const file = join(directory, OPERATOR_TOKEN_FILE);
  const make = () => {
    const bytes =
      shared?.key('operator token', OPERATOR_TOKEN_BYTES) ?? Buffer.from(random.bytes(OPERATOR_TOKEN_BYTES));
    return bytes.toString('base64url');
  };
  const kept = await readOrCreate(file, make);
  return checkOperatorToken(kept.text, file, kept.created);
}

function checkOperatorToken(text: string, name: string, generated: boolean) {
  const token = text.trim();
  // Only characters that a header can carry and no client trims.
  if (!/^[\x21-\x7e]+$/.test(token)) {
    return {
      type: 'fault',
      message: `${name} must be a token of printable characters without spaces`,
    } as const;
  }
  return { type: 'loaded', token, generated } as const;
}

/**
 * The text of a file that only its owner may read. `make` creates the text if the file does not exist. Two processes that
 * start at the same time get the same text: each links a complete file to the final name, and the second link fails.
 */
async function readOrCreate(file: string, make: () => string): Promise<{ text: string; created: boolean }> {
  const found = await readPrivate(file);
  if (found !== undefined) return { text: found, created: false };
  const directory = dirname(file);
  makeDirectory(directory);
  const text = make();
  const draft = `${file}.${randomUUID()}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(`${text}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  try {
    await link(draft, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return { text: (await readPrivate(file)) ?? '', created: false };
  } finally {
    await unlink(draft);
  }
  await syncDirectory(directory);
  return { text, created: true };
}

async function readPrivate(file: string): Promise<string | undefined> {
  try {
    const text = await readFile(file, 'utf8');
    // A copy or a restored backup may have lost the file's mode.
    if (((await stat(file)).mode & 0o077) !== 0) await chmod(file, 0o600);
    return text.trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`the file ${file} cannot be read: ${fileFault(error)}`, { cause: error });
  }
}

/** Makes the file's name as durable as its content. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** SHA-256, for values with so much entropy that a slow hash would add no protection. */
export function digestOf(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
