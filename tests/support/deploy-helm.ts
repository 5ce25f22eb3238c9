import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';
import { parseAllDocuments } from 'yaml';
import { DEPLOY } from './deploy-compose.ts';

export const CHART = join(DEPLOY, 'helm', 'simstream');
const ARCHIVE = fileURLToPath(
  new URL('../../node_modules/@aws-cdk/asset-kubectl-v20/lib/layer.zip', import.meta.url),
);
const UNPACKED = fileURLToPath(new URL('../../node_modules/.cache/simstream-helm', import.meta.url));

/** A Kubernetes object as rendered. */
// biome-ignore lint/suspicious/noExplicitAny: of any kind; kubernetes-models checks the shape.
export type Manifest = Record<string, any> & { apiVersion: string; kind: string; metadata: { name: string } };

/** Helm as the npm package has it; of other machines than Linux on x86-64 the one on the PATH. */
export function helmMissing(): string | undefined {
  if (process.platform === 'linux' && process.arch === 'x64') return undefined;
  return spawnSync('helm', ['version']).status === 0 ? undefined : 'helm is missing: put it on the PATH';
}

export function helm(...args: readonly string[]): string {
  return execFileSync(program(), args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** @param values `name=value` each, as for `--set` */
export function render(...values: readonly string[]): Manifest[] {
  const text = helm('template', 'try', CHART, ...values.flatMap((value) => ['--set', value]));
  return parseAllDocuments(text).map((document) => {
    if (document.errors.length > 0) throw document.errors[0];
    return document.toJS() as Manifest;
  });
}

function program(): string {
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'helm';
  const path = join(UNPACKED, 'helm');
  if (existsSync(path)) return path;
  const files = unzipSync(readFileSync(ARCHIVE), { filter: ({ name }) => name === 'helm/helm' });
  const bytes = files['helm/helm'];
  if (!bytes) throw new Error(`no helm in ${ARCHIVE}`);
  mkdirSync(UNPACKED, { recursive: true });
  writeFileSync(`${path}.new`, bytes);
  chmodSync(`${path}.new`, 0o755);
  renameSync(`${path}.new`, path);
  return path;
}
