import { mkdirSync, writeFileSync } from 'node:fs';
import { apiTypes } from './api-types.ts';

/** `npm run generate`: the portal's types of the API, from the project's own OpenAPI document. `npm run check` does it first. */
const file = new URL('../src/portal/generated/api.ts', import.meta.url);
mkdirSync(new URL('.', file), { recursive: true });
writeFileSync(file, apiTypes());
