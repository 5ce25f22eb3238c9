import { readFileSync } from 'node:fs';

/**
 * Loaded into a node before its program (`--import`): its wall clock is ahead by as many milliseconds as the file TIME_AHEAD_FILE
 * says. A test writes the file anew to move on by hours at once. Timers are those of the machine.
 */
const file = process.env.TIME_AHEAD_FILE as string;
/** The node asks for the time far more often than a test moves it. */
const READ_EVERY_MS = 20;
const now = Date.now.bind(Date);
let ahead = 0;
let readAt = 0;

Date.now = () => {
  const real = now();
  if (real - readAt >= READ_EVERY_MS) {
    readAt = real;
    // An empty file is one that is being written.
    ahead = Number(readFileSync(file, 'utf8')) || ahead;
  }
  return real + ahead;
};
