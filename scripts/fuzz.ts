import { parseArgs } from 'node:util';
import { fuzz } from '../tests/fuzz/fuzz.ts';

/** `npm run fuzz -- [--seed N] [--cases K]`: calls of the API that are drawn from its OpenAPI document; see docs/security.md. */
const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, cases: { type: 'string', default: '25000' } },
});

let findings = 0;
const { calls, statuses } = await fuzz(
  { seed: Number(values.seed), cases: Number(values.cases) },
  ({ seed, call, status, text, problem }) => {
    findings++;
    const shown = JSON.stringify(call).slice(0, 2_000);
    process.stdout.write(`--seed ${seed}: ${shown}\n  ${status} ${text.slice(0, 500)}\n  ${problem}\n`);
  },
);
process.stdout.write(`${calls} calls, ${findings} findings; by status ${JSON.stringify(statuses)}\n`);
process.exitCode = findings > 0 ? 1 : 0;
