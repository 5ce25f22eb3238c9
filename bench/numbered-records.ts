import { FIRST_ID, generator, UsageRecords } from '../tests/support/usage-records.ts';

/** As in the path of the operator's ingest. */
export type NumberedKind = 'usage' | 'events';

const made = new Map<string, UsageRecords>();

/** The records of an organisation, or of several that follow it in turn, by number; created once in each process. */
export function numberedRecords(kind: NumberedKind, organisationId: number, organisations = 1): UsageRecords {
  const key = `${kind} ${organisationId} ${organisations}`;
  let records = made.get(key);
  if (!records) {
    records = new UsageRecords(organisationId, kind === 'usage' ? undefined : event, organisations);
    made.set(key, records);
  }
  return records;
}

/** Events are from the last hour, because some destinations refuse old ones. So their digits differ between processes, but nothing else. */
const SINCE = Date.now() - 3_600_000;
const TYPES = [
  { id: 1, description: 'Update location', severity: { id: 0, description: 'Info' } },
  { id: 3, description: 'Create PDP Context', severity: { id: 0, description: 'Info' } },
  { id: 5, description: 'Delete PDP Context', severity: { id: 1, description: 'Warn' } },
  { id: 0, description: 'Generic', severity: { id: 2, description: 'Critical' } },
];

function event(index: number, organisationId: number): Buffer {
  const random = generator(index + 1);
  const device = Math.floor(random() * 2_000);
  const digits = String(device).padStart(4, '0');
  const type = TYPES[Math.floor(random() * TYPES.length)] as (typeof TYPES)[number];
  return Buffer.from(
    JSON.stringify({
      id: FIRST_ID,
      timestamp: new Date(SINCE + index * 400).toISOString(),
      alert: random() < 0.2,
      description: `${type.description}, cause ${Math.floor(random() * 100)}`,
      event_type: { id: type.id, description: type.description },
      event_source: { id: 0, description: 'Network' },
      event_severity: type.severity,
      organisation: { id: organisationId, name: 'Nordlicht Metering' },
      endpoint: {
        id: 41_800_000 + device,
        name: `heat-meter-${digits}`,
        imei: `35614009${digits}0000`,
        ip_address: `100.71.${device >> 8}.${device & 255}`,
        tags: 'heat,meter',
      },
      sim: {
        iccid: `899994231000000${digits}`,
        id: 5_230_000 + device,
        production_date: '2024-02-01T10:15:30Z',
      },
      imsi: { id: 15_440_000 + device, imsi: `99942000000${digits}`, import_date: '2024-02-01T10:15:30Z' },
      detail: {
        volume: { rx: random(), tx: random() },
        pdp_context: { apn: 'meter.iot', rat_type: 6, mcc: '262' },
      },
    }),
  );
}
