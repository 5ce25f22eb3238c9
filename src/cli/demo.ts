import { join } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { runDemo } from '../demo/demo.ts';
import { systemClock, systemRandom } from '../lib/system-clock.ts';
import { VERSION } from '../version.ts';
import { addConfigOptions, configOf, EXIT_MISTAKE } from './config-options.ts';
import type { Console, StartServer } from './node.ts';
import { runNode } from './run-node.ts';

/** Enough devices for an event about every second, in real time. */
const DEFAULT_DEVICES = 200;
const MOST_DEVICES = 100_000;
const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** `simstream demo`: a node with an organisation, a simulated fleet, an inbox and a first data stream. */
export function addDemo(
  program: Command,
  console: Console,
  loadServer: () => Promise<StartServer>,
  done: (code: number) => void,
): void {
  const command = program
    .command('demo')
    .description('Run a node with a demo: an organisation, a simulated fleet, an inbox, a first data stream.')
    .option(
      '--devices <number>',
      `SIMs of the simulated fleet, 0 to ${MOST_DEVICES}`,
      readDevices,
      DEFAULT_DEVICES,
    );
  addConfigOptions(command).action(async (options: Record<string, unknown> & { devices: number }) => {
    const outcome = configOf(options, console);
    if (!outcome) return done(EXIT_MISTAKE);
    const { config, warnings } = outcome;
    const allowDestinations = [...new Set([...config.allowDestinations, ...LOOPBACK])];
    const startServer = await loadServer();
    const code = await runNode({
      config: { ...config, allowDestinations },
      warnings,
      console,
      startServer,
      demo: true,
      beside: (node, logger, signal) =>
        runDemo(
          {
            url: node.url,
            operatorUrl: node.operatorUrl,
            operatorToken: node.operatorToken.value,
            stateFile: join(config.dataDir, 'demo.json'),
            devices: options.devices,
            version: VERSION,
            clock: systemClock,
            random: systemRandom,
            print: console.print,
            refused: (message) => logger.warn({ event: 'demo.refused' }, message),
          },
          signal,
        ),
    });
    done(code);
  });
}

function readDevices(text: string): number {
  const devices = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (!(devices <= MOST_DEVICES)) throw new InvalidArgumentError(`Allowed: 0 to ${MOST_DEVICES}.`);
  return devices;
}
