import { type Config, flagOf, SETTING_NAMES, SETTINGS, type SettingName, variableOf } from './config.ts';
import type { Checked } from './settings.ts';
import { covers } from './source-addresses.ts';

/** From flags and variables to a configuration, with mistakes and warnings. */

type ConfigOutcome =
  | { readonly config: Config; readonly warnings: readonly string[] }
  | { readonly mistakes: readonly string[] };

/**
 * Reads the configuration. A flag takes precedence over its variable. An empty variable counts as unset, because compose
 * files write unset variables this way. Blanks and line ends around a value are left by files with variables.
 * @param flags values of command line flags by setting name
 * @param environment the process environment
 * @returns the configuration with warnings, or every mistake at once. Each mistake names the fault and the allowed
 * values; none repeats the value of a secret
 */
export function readConfig(
  flags: Readonly<Partial<Record<SettingName, string>>>,
  environment: Readonly<Record<string, string | undefined>>,
): ConfigOutcome {
  const mistakes: string[] = [];
  const values: Partial<Record<SettingName, unknown>> = {};
  for (const name of SETTING_NAMES) {
    const flag = flags[name];
    const variable = environment[variableOf(name)];
    const given = flag ?? (variable?.trim() === '' ? undefined : variable) ?? SETTINGS[name].default;
    if (given === undefined) continue;
    const checked: Checked<unknown> = isQuoted(given.trim())
      ? { fault: QUOTED }
      : SETTINGS[name].kind.read(given.trim());
    if ('value' in checked) values[name] = checked.value;
    else mistakes.push(`${flag === undefined ? variableOf(name) : flagOf(name)} ${checked.fault}`);
  }
  const config = values as unknown as Config;
  if (mistakes.length === 0) mistakes.push(...contradictions(config));
  return mistakes.length > 0 ? { mistakes } : { config, warnings: oddities(config, environment) };
}

/** Docker and systemd read files with variables; Docker keeps the quotes around a value, and a directory would get their name. */
const isQuoted = (text: string) => /^(["'`]).*\1$/s.test(text);
const QUOTED = 'is in quotes; leave the quotes out: they would be a part of the value';

function contradictions(config: Config): string[] {
  const mistakes: string[] = [];
  if (config.natsUrl.length > 0 && !config.secret) {
    mistakes.push(
      `${variableOf('secret')} is required with ${variableOf('natsUrl')}, the same on every node: ${SETTINGS.secret.kind.allowed}`,
    );
  }
  if (config.notificationSecret && config.notificationUrl === undefined) {
    mistakes.push(`${variableOf('notificationSecret')} needs ${variableOf('notificationUrl')}`);
  }
  mistakes.push(...sourceMistakes(config, ['sourceNatsUrl', 'sourceNatsSubjects', 'sourceNatsRejected']));
  mistakes.push(...sourceMistakes(config, ['sourceMqttUrl', 'sourceMqttTopics', 'sourceMqttRejected']));
  mistakes.push(...circles(config));
  const { host, port, operatorHost = host, operatorPort } = config;
  if (port !== 0 && port === operatorPort && host === operatorHost) {
    mistakes.push(
      `${variableOf('operatorPort')} is ${port}, the same as ${variableOf('port')}: the operator's side needs a port of its own`,
    );
  }
  if (config.operatorHost && config.operatorPort === undefined) {
    mistakes.push(`${variableOf('operatorHost')} needs ${variableOf('operatorPort')}`);
  }
  if (config.secretPrevious && !config.secret) {
    mistakes.push(`${variableOf('secretPrevious')} needs ${variableOf('secret')}, the key that replaces it`);
  }
  return mistakes;
}

/**
 * A source needs all of its settings: without a place for rejected records, a bad record would be lost or would stop
 * it.
 */
function sourceMistakes(config: Config, names: readonly SettingName[]): string[] {
  const isSet = (name: SettingName) => ![undefined, 0].includes((config[name] as string | undefined)?.length);
  const missing = names.filter((name) => !isSet(name));
  if (missing.length === 0 || missing.length === names.length) return [];
  const [given] = names.filter(isSet) as [SettingName];
  return [`${variableOf(given)} needs ${missing.map(variableOf).join(' and ')}`];
}

/** A rejected record must not come back as a message, to be rejected for ever. */
function circles(config: Config): string[] {
  const mistakes: string[] = [];
  const sources = [
    ['nats', 'sourceNatsSubjects', 'sourceNatsRejected'],
    ['mqtt', 'sourceMqttTopics', 'sourceMqttRejected'],
  ] as const;
  for (const [protocol, addresses, rejected] of sources) {
    const to = config[rejected];
    if (to === undefined) continue;
    const reader = config[addresses].find(({ address }) => covers(protocol, address, to));
    if (!reader) continue;
    mistakes.push(
      `${variableOf(rejected)} is ${to}, which ${reader.address} of ${variableOf(addresses)} reads: rejected records would come back for ever`,
    );
  }
  return mistakes;
}

/** Of 32 random bytes about 30 differ; fewer than 20 do once in a billion billions. */
const FEW_BYTES = 16;
/** A shorter token can be guessed over a network in reasonable time. */
const SHORT_TOKEN = 16;

function oddities(config: Config, environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set<string>(SETTING_NAMES.map(variableOf));
  const warnings = Object.keys(environment)
    .filter((variable) => variable.startsWith('SIMSTREAM_') && !known.has(variable))
    .map((variable) => `${variable} is not a variable that simstream knows; it is ignored`);
  if (config.operatorToken && config.operatorToken.length < SHORT_TOKEN) {
    warnings.push(
      `${variableOf('operatorToken')} has only ${config.operatorToken.length} characters; use 32 random ones`,
    );
  }
  for (const name of ['secret', 'secretPrevious'] as const) {
    const value = config[name];
    if (value && new Set(value).size < FEW_BYTES)
      warnings.push(
        `${variableOf(name)} is not random, so that it can be guessed: generate one with \`openssl rand -base64 32\``,
      );
  }
  if (config.retryWindow > config.retention) {
    warnings.push(
      `${variableOf('retryWindow')} is longer than ${variableOf('retention')}: records expire before a failing stream goes to Error`,
    );
  }
  return warnings;
}
