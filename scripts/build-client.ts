import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import './generate.ts';

/** `npm run build:client`: JavaScript and types of `simstream/client` in dist/client. */
const cwd = fileURLToPath(new URL('..', import.meta.url));
execFileSync('npx', ['--no-install', 'tsc', '-p', 'src/client'], { cwd, stdio: 'inherit' });
