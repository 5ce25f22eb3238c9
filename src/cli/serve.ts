import type { Command } from 'commander';
import { addConfigOptions, configOf, EXIT_MISTAKE } from './config-options.ts';
import type { Console, StartServer } from './node.ts';
import { runNode } from './run-node.ts';

/** `simstream serve`: runs a node until a signal stops it. */
export function addServe(
  program: Command,
  console: Console,
  loadServer: () => Promise<StartServer>,
  done: (code: number) => void,
): void {
  const command = program.command('serve').description('Run a node.');
  addConfigOptions(command).action(async (options: Record<string, unknown>) => {
    const outcome = configOf(options, console);
    if (!outcome) return done(EXIT_MISTAKE);
    const startServer = await loadServer();
    done(await runNode({ ...outcome, console, startServer, demo: false, beside: async () => {} }));
  });
}
