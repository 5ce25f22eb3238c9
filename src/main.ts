#!/usr/bin/env -S node --max-semi-space-size=2
import type { Console, StopSignal } from './cli/node.ts';
import { runCommandLine } from './cli/program.ts';

const console: Console = {
  environment: process.env,
  terminal: process.stdout.isTTY === true,
  print: (text) => process.stdout.write(`${text}\n`),
  printError: (text) => process.stderr.write(`${text}\n`),
  onSignal: (run) => {
    const listener = (signal: NodeJS.Signals) => run(signal as StopSignal);
    process.on('SIGTERM', listener);
    process.on('SIGINT', listener);
    return () => {
      process.off('SIGTERM', listener);
      process.off('SIGINT', listener);
    };
  },
  exit: (code) => process.exit(code),
};

// A reader of our output that goes away (`simstream … | head`) is not a fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await runCommandLine(process.argv.slice(2), console, async () => {
  const { startServer } = await import('./node/server.ts');
  return startServer;
});

// Everything is closed by now. Should anything still hold the process, it is not worth waiting for.
const LINGER = 2000;
setTimeout(() => process.exit(), LINGER).unref();
