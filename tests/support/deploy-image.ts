import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEPLOY } from './deploy-compose.ts';

/**
 * deploy/Dockerfile without a container engine: every stage is a directory, COPY copies what .dockerignore lets through, RUN
 * runs in the stage's directory. In place of `npm ci` stand the packages that are installed here. What is not seen: the base
 * image itself, and that a process could read beyond its directory.
 */
interface Image {
  /** The last stage's `/`. */
  readonly root: string;
  readonly workingDirectory: string;
  /** Entry point and command. */
  readonly command: readonly string[];
  readonly healthCheck: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** By number. */
  readonly user: { readonly uid: number; readonly gid: number };
}

interface Stage extends Image {
  readonly entryPoint: readonly string[];
}

/** Where the image has its programs, below the root. */
export const PROGRAMS = 'usr/local/bin';
const REPOSITORY = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Builds the image below `directory`.
 * @throws Error at an instruction that is not known here, or that fails
 */
export function buildImage(directory: string): Image {
  const stages = new Map<string, Stage>();
  let name = '';
  let stage: Stage | undefined;
  for (const [instruction, rest] of instructions()) {
    if (instruction === 'ARG') continue;
    if (instruction === 'FROM') {
      const [base = '', , alias] = rest.split(/\s+/);
      name = alias ?? 'last';
      stage = from(stages.get(base), join(directory, name));
    } else if (stage) stage = step(stage, stages, instruction, rest);
    if (stage) stages.set(name, stage);
  }
  if (!stage) throw new Error('the Dockerfile has no stage');
  copyFileSync(process.execPath, join(stage.root, PROGRAMS, 'node'));
  return { ...stage, command: [...stage.entryPoint, ...stage.command] };
}

/** Name and arguments of each, in order. */
function instructions(): [name: string, rest: string][] {
  const text = readFileSync(join(DEPLOY, 'Dockerfile'), 'utf8').replace(/\\\n\s*/g, ' ');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [, name, rest] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    if (name === undefined || rest === undefined) throw new Error(`not an instruction: ${line}`);
    return [name, rest];
  });
}

/** A stage on top of another, or on the image of Node.js, of which the last stage gets just Node.js. */
function from(base: Stage | undefined, root: string): Stage {
  if (base) {
    copyTree(base.root, root);
    return { ...base, root };
  }
  mkdirSync(join(root, PROGRAMS), { recursive: true });
  return {
    root,
    workingDirectory: '/',
    entryPoint: [],
    command: [],
    healthCheck: [],
    environment: {},
    user: { uid: 0, gid: 0 },
  };
}

function step(stage: Stage, stages: ReadonlyMap<string, Stage>, instruction: string, rest: string): Stage {
  switch (instruction) {
    case 'WORKDIR':
      mkdirSync(join(stage.root, rest), { recursive: true });
      return { ...stage, workingDirectory: rest };
    case 'ENV': {
      const environment = Object.fromEntries(rest.split(/\s+/).map((pair) => pair.split('=', 2)));
      return { ...stage, environment: { ...stage.environment, ...environment } };
    }
    case 'COPY':
      copy(stage, stages, rest.split(/\s+/));
      return stage;
    case 'RUN':
      run(stage, rest);
      return stage;
    case 'USER': {
      const [uid = 0, gid = 0] = rest.split(':').map(Number);
      return { ...stage, user: { uid, gid } };
    }
    case 'HEALTHCHECK':
      return { ...stage, healthCheck: JSON.parse(rest.slice(rest.indexOf('['))) };
    case 'ENTRYPOINT':
      return { ...stage, entryPoint: JSON.parse(rest) };
    case 'CMD':
      return { ...stage, command: JSON.parse(rest) };
    case 'VOLUME':
    case 'EXPOSE':
      return stage;
    default:
      throw new Error(`${instruction} is not known here`);
  }
}

function copy(stage: Stage, stages: ReadonlyMap<string, Stage>, words: readonly string[]): void {
  const [source, target] = [words.filter((word) => !word.startsWith('--')), words.at(-1) as string];
  const earlier = words[0]?.startsWith('--from=') ? stages.get(words[0].slice('--from='.length)) : undefined;
  for (const path of source.slice(0, -1)) {
    const to = inStage(stage, target === './' ? basename(path) : target);
    if (earlier) copyTree(inStage(earlier, path), to);
    else cpSync(join(REPOSITORY, path), to, { recursive: true, filter: letThrough(path) });
  }
}

/** What .dockerignore says: nothing but the paths that it names, and no tests. */
function letThrough(path: string): (file: string) => boolean {
  const lines = readFileSync(join(DEPLOY, 'Dockerfile.dockerignore'), 'utf8').trim().split('\n');
  const [everything, ...rules] = lines;
  const tests = rules.pop();
  if (everything !== '*' || tests !== '**/*.test.ts' || rules.some((rule) => !rule.startsWith('!')))
    throw new Error('.dockerignore has rules that are not known here');
  if (!rules.includes(`!${path}`)) throw new Error(`.dockerignore keeps ${path} out`);
  return (file) => !file.endsWith('.test.ts');
}

function run(stage: Stage, command: string): void {
  const [, options] = /^npm ci(.*?)(?= &&|$)/.exec(command) ?? [];
  if (options?.includes('--omit=dev')) copyPackages(inStage(stage, 'node_modules'));
  else if (options !== undefined)
    symlinkSync(join(REPOSITORY, 'node_modules'), inStage(stage, 'node_modules'));
  const here = command
    .replace(/^npm ci.*?(?= &&|$)/, 'true')
    .replace(/(?<= )\/(?=\w)/g, `${stage.root}/`)
    // The image's user; elsewhere it may not exist, and only root may give files away.
    .replace('-o node -g node', process.getuid?.() === 0 ? '-o 1000 -g 1000' : '');
  execFileSync('sh', ['-ec', here], {
    cwd: inStage(stage, '.'),
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** The installed packages that are not for development alone, by the lock file, and with them what is nested in them. */
function copyPackages(to: string): void {
  const { packages } = JSON.parse(readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  for (const [path, { dev }] of Object.entries(packages)) {
    const [, name] = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path) ?? [];
    // The runtime is the image's own: the Dockerfile removes the package.
    if (name === undefined || dev || name === 'node') continue;
    // Not installed: for another platform.
    if (existsSync(join(REPOSITORY, path))) copyTree(join(REPOSITORY, path), join(to, name));
  }
}

/** As links to the same files, which no step writes to: thousands of them are there at once. Between file systems, copies. */
function copyTree(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  if (spawnSync('cp', ['-Rl', from, to], { stdio: 'ignore' }).status === 0) return;
  rmSync(to, { recursive: true, force: true });
  execFileSync('cp', ['-R', from, to]);
}

function inStage(stage: Stage, path: string): string {
  return path.startsWith('/') ? join(stage.root, path) : join(stage.root, stage.workingDirectory, path);
}

/** Lets any user of this machine reach the image's files, as in a container. */
export function openToAll(directory: string): void {
  chmodSync(directory, 0o755);
}
