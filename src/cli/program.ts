import { Command, CommanderError } from 'commander';
import { VERSION } from '../version.ts';
import { addBackup, addRestore } from './backup.ts';
import { addCheck, addRepair } from './check.ts';
import { EXIT_MISTAKE } from './config-options.ts';
import { addDemo } from './demo.ts';
import { addImport } from './import.ts';
import { addMigrate } from './migrate.ts';
import type { Console, StartServer } from './node.ts';
import { addOperatorCommands } from './operator.ts';
import { addServe } from './serve.ts';
import { addSimulate } from './simulate.ts';

/**
 * The command line. Each command has a file of its own that adds it here.
 * @param loadServer loads the composition root, so that only commands that run a node pay for it
 * @returns the exit code: 0 done, 1 failed, 2 the command line or the configuration is wrong
 */
export async function runCommandLine(
  args: readonly string[],
  console: Console,
  loadServer: () => Promise<StartServer>,
): Promise<number> {
  let code = 0;
  const done = (result: number) => {
    code = result;
  };
  const program = new Command('simstream')
    .description('The self-hosted, multi-tenant data streamer for cellular IoT.')
    .version(VERSION, '-V, --version')
    .configureOutput({
      writeOut: (text) => console.print(text.trimEnd()),
      writeErr: (text) => console.printError(text.trimEnd()),
    })
    .showHelpAfterError('Add --help to see the commands and options.')
    .exitOverride();
  addServe(program, console, loadServer, done);
  addDemo(program, console, loadServer, done);
  addImport(program, console, done);
  addSimulate(program, console, done);
  addMigrate(program, console, done);
  addCheck(program, console, done);
  addRepair(program, console, done);
  addBackup(program, console, done);
  addRestore(program, console, done);
  addOperatorCommands(program, console, done);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? 0 : EXIT_MISTAKE;
  }
  return code;
}
