import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

/** An answer as the generated functions give it. */
export interface GeneratedAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly data?: never;
}

/** The module that the generator wrote: a function for each operation. */
export interface GeneratedClient {
  readonly defaults: { baseUrl?: string; headers?: Record<string, string> };
  readonly [operation: string]: unknown;
}

const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));
const GENERATOR = fileURLToPath(new URL('../../node_modules/oazapfts/dist/cli.js', import.meta.url));

/** Writes a client from an OpenAPI document with oazapfts, and loads it. @param document the path of the document */
export async function generateClient(document: string): Promise<GeneratedClient> {
  mkdirSync(CACHE, { recursive: true });
  // Inside of the project, where the client finds its runtime.
  const directory = mkdtempSync(join(CACHE, 'generated-client-'));
  try {
    const written = join(directory, 'client.ts');
    await promisify(execFile)(process.execPath, [GENERATOR, document, written]);
    const module = join(directory, 'client.mjs');
    writeFileSync(module, stripTypeScriptTypes(readFileSync(written, 'utf8')));
    return (await import(pathToFileURL(module).href)) as GeneratedClient;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
