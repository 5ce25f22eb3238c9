import { writeFileSync } from 'node:fs';
import { apiTypes } from './api-types.ts';

/** `npm run generate`: the portal's types of the API, from the project's own OpenAPI document. */
writeFileSync(new URL('../src/portal/generated/api.ts', import.meta.url), apiTypes());
