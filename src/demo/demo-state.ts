import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeDirectory } from '../lib/make-directory.ts';

/** The demo's state between starts. */
export interface DemoState {
  /**
   * Generated: the demo listens on loopback by default, but can be made to listen anywhere, where a well-known password would let anybody in.
   */
  readonly password: string;
  /** The first data stream, once it was created, and where it delivers. */
  readonly streamId?: string;
  readonly target?: string;
}

/** Reads the state; undefined if there is none. @throws when the file cannot be read or is not a state */
export function loadDemoState(file: string): DemoState | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const state = JSON.parse(text) as DemoState;
    if (typeof state.password === 'string') return state;
  } catch {
    // Reported below, like JSON of another form.
  }
  throw new Error(`${file} is damaged: it should hold the demo's password. Choose another --data-dir.`);
}

/** Writes the state, whole or not at all, readable by this user only. */
export function saveDemoState(file: string, state: DemoState): void {
  makeDirectory(dirname(file));
  const draft = `${file}.new`;
  writeFileSync(draft, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  chmodSync(draft, 0o600);
  renameSync(draft, file);
}
