import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const DEPLOY = fileURLToPath(new URL('../../deploy', import.meta.url));
export const COMPOSE_FILE = join(DEPLOY, 'compose', 'compose.yaml');

/** The parts of a compose file that this project's own has. */
export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
}

export interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly networks?: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly restart?: string;
  readonly stop_signal?: NodeJS.Signals;
  readonly stop_grace_period?: string;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

/** Settings that .env.example asks for, as a user would fill them in. */
export const FILLED_IN = {
  SIMSTREAM_SECRET: createHash('sha256').update('any').digest('base64'),
  SIMSTREAM_OPERATOR_TOKEN: 'operator-token-of-a-test-0123456789',
  // Both look like numbers, as hexadecimal digits may by chance.
  NATS_PASSWORD: '00e1234567890123456789012345678',
  NATS_ROUTE_PASSWORD: '12345678901234567890123456789012',
} as const;

/**
 * The compose file with its variables filled in.
 * @throws Error with the name of a variable that is required and not in `environment`
 */
export function readCompose(environment: Readonly<Record<string, string>> = FILLED_IN): Compose {
  return interpolate(parse(readFileSync(COMPOSE_FILE, 'utf8'), { merge: true }), environment) as Compose;
}

/** As Compose does it: in values, not in keys. */
function interpolate(value: unknown, environment: Readonly<Record<string, string>>): unknown {
  if (typeof value === 'string') return fillIn(value, environment);
  if (Array.isArray(value)) return value.map((item) => interpolate(item, environment));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, interpolate(item, environment)]),
  );
}

function fillIn(text: string, environment: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{([A-Z_]+)(?::([-?])([^}]*))?\}|\$/g, (found, name, operator, rest) => {
    if (name === undefined) throw new Error(`a single $ in ${JSON.stringify(text)}: write $$`);
    const given = environment[name];
    if (given) return given;
    if (operator === '-') return rest;
    if (operator === '?') throw new Error(`${name} is required: ${rest}`);
    throw new Error(`${found} is not set, and has no default`);
  });
}

/** Names of the services whose image is `name:…`, in order. */
export function servicesOf(compose: Compose, name: 'nats' | 'simstream'): string[] {
  return Object.keys(compose.services)
    .filter((service) => new RegExp(`^${name}-\\d+$`).test(service))
    .sort();
}

/** The one URL in a health check's command. */
export function probedBy(service: Service): URL {
  const [url, ...more] = (service.healthcheck?.test.join(' ') ?? '').match(/http:\/\/[^\s'"`]+/g) ?? [];
  if (url === undefined || more.length > 0) throw new Error('the health check has no URL, or several');
  return new URL(url);
}
