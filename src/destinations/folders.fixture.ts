import { globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { DestinationType } from './contract.ts';

/** The beginning of the names of a connection type's files: `KeenIO` has keen-io.samples.fixture.ts, and the guide keen-io.md. */
export function fileNameOf({ connectionType }: Pick<DestinationType, 'connectionType'>): string {
  return connectionType.replace(/([a-z])([A-Z])/g, '$1-$2').toLowerCase();
}

/** The folder of src/destinations that has a file of this name. */
export function folderOf(file: string): string {
  const [found, another] = globSync(`*/${file}`, { cwd: import.meta.dirname });
  if (!found) throw new Error(`no folder of src/destinations has ${file}`);
  if (another) throw new Error(`two folders of src/destinations have ${file}`);
  return join(import.meta.dirname, dirname(found));
}
