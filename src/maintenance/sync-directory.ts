import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Makes names in a directory durable. Windows needs it not, and refuses it. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(directory, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
