import { type Command, Option } from 'commander';
import {
  type Config,
  flagOf,
  SETTING_NAMES,
  SETTINGS,
  type SettingName,
  variableOf,
} from '../config/config.ts';
import { readConfig } from '../config/read-config.ts';
import type { Console } from './node.ts';

/** Exit code for a wrong command line or configuration. */
export const EXIT_MISTAKE = 2;

/** Adds a flag for every setting to a command, with help from the same table. */
export function addConfigOptions(command: Command): Command {
  for (const name of SETTING_NAMES) {
    const { kind, meaning, default: standard, defaultNote } = SETTINGS[name];
    const shown = defaultNote ?? standard ?? 'unset';
    const help = `${meaning} Allowed: ${kind.allowed}. [${variableOf(name)}, default: ${shown}]`;
    command.addOption(new Option(`${flagOf(name)} <value>`, help.replaceAll('`', '')));
  }
  return command;
}

/** Reads the configuration of a command; prints all mistakes and returns undefined if it has any. */
export function configOf(
  options: Record<string, unknown>,
  console: Console,
): { readonly config: Config; readonly warnings: readonly string[] } | undefined {
  const flags: Partial<Record<SettingName, string>> = {};
  for (const name of SETTING_NAMES) {
    const value = options[name];
    if (typeof value === 'string') flags[name] = value;
  }
  const outcome = readConfig(flags, console.environment);
  if ('config' in outcome) return outcome;
  const count = outcome.mistakes.length;
  console.printError(`The configuration has ${count === 1 ? 'a mistake' : `${count} mistakes`}:`);
  for (const mistake of outcome.mistakes) console.printError(`  ${mistake.replaceAll('`', '')}`);
  return undefined;
}
