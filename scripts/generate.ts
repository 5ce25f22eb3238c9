import { mkdirSync, writeFileSync } from 'node:fs';
import { apiTypes } from './api-types.ts';

/**
 * `npm run generate`: types of the API for the portal and for the client, from the project's own OpenAPI document. `npm run check`
 * does it first.
 */
const OUTPUTS = [
  { file: '../src/portal/generated/api.ts', beginnings: ['/api/'] },
  { file: '../src/client/generated/api.ts', beginnings: ['/api/', '/operator/'] },
];

for (const { file, beginnings } of OUTPUTS) {
  const url = new URL(file, import.meta.url);
  mkdirSync(new URL('.', url), { recursive: true });
  writeFileSync(url, apiTypes(beginnings));
}
