import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from 'selfsigned';
import { usageWebhook } from '../../tests/support/api-client.ts';
import { removeDirectory, temporaryDirectory } from '../../tests/support/owned.ts';
import { createStream, driveNode, type NodeDrive, withNode } from '../bench-node.ts';
import { figure, IN_ORDER, type Scenario } from '../scenario.ts';
import { BATCH, CONNECTIONS } from './throughput.ts';

/** What it costs that a receiver is reached over TLS, as in life. */
const WARM_UP = 24_000;
const ORGANISATION = 1_000_001;
const DAY_MS = 86_400_000;

export const tls: Scenario = {
  name: 'tls',
  description: 'CPU per record of a webhook over TLS, beside one over plain HTTP',

  run: async ({ rig, records = 200_000, quick, say }) => {
    const count = quick ? Math.min(records, 24_000) : records;
    const rounds = quick ? 1 : 3;
    const directory = temporaryDirectory();
    try {
      const { key, cert } = await certificate();
      const authority = join(directory, 'authority.pem');
      writeFileSync(authority, cert);
      const secureUrl = await rig.secureSinkUrl(key, cert);
      return await withNode(
        async (bench) => {
          const make = async (name: string, url: string, organisation: number) => {
            const sinkPath = `/${name}`;
            const body = usageWebhook(name, url + sinkPath);
            return { ...(await createStream(bench, organisation, 'usage', body)), sinkPath };
          };
          const plain = await make('plain', rig.sinkUrl, ORGANISATION);
          const secure = await make('tls', secureUrl, ORGANISATION + 1);
          const drives: { plain: NodeDrive[]; secure: NodeDrive[] } = { plain: [], secure: [] };
          for (let round = 0; round <= rounds; round++) {
            say(round === 0 ? 'warming up' : `round ${round} of ${rounds}: plain, TLS`);
            const shape = { records: round === 0 ? WARM_UP : count, batch: BATCH, connections: CONNECTIONS };
            const first = await driveNode(bench, plain, rig, shape);
            const second = await driveNode(bench, secure, rig, shape);
            if (round === 0) continue;
            drives.plain.push(first);
            drives.secure.push(second);
          }
          const cpu = (of: readonly NodeDrive[]) => of.map(({ cpuMicros }) => cpuMicros);
          const perSecond = (of: readonly NodeDrive[]) => of.map(({ recordsPerSecond }) => recordsPerSecond);
          return {
            title: `${count.toLocaleString('en')} records to a webhook of plain HTTP and to one over TLS 1.3; ${rounds} rounds in turns`,
            figures: [
              figure('plain: end to end', 'records/s', perSecond(drives.plain)),
              figure('TLS: end to end', 'records/s', perSecond(drives.secure)),
              figure('plain: CPU of the node', 'µs/record', cpu(drives.plain)),
              figure('TLS: CPU of the node', 'µs/record', cpu(drives.secure)),
              figure(
                '  more than plain',
                'µs/record',
                cpu(drives.secure).map((each, round) => each - (cpu(drives.plain)[round] as number)),
                { atMost: 1.5 },
              ),
            ],
            holds: IN_ORDER,
            faults: [...drives.plain, ...drives.secure].flatMap(({ faults }) => faults),
          };
        },
        { environment: { NODE_EXTRA_CA_CERTS: authority } },
      );
    } finally {
      removeDirectory(directory);
    }
  },
};

/** Of 127.0.0.1, signed by itself. */
async function certificate(): Promise<{ key: string; cert: string }> {
  const made = await generate([{ name: 'commonName', value: '127.0.0.1' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(Date.now() - DAY_MS),
    notAfterDate: new Date(Date.now() + DAY_MS),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] },
    ],
  });
  return { key: made.private, cert: made.cert };
}
