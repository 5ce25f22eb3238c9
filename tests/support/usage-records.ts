/**
 * Records for load, usage records unless other templates are given: shaped like a real fleet's (docs/records.md), about 870 bytes each, and known by number.
 *
 *   record n = template n mod TEMPLATES, with the id FIRST_ID + n (15 digits at ID_OFFSET)
 *
 * So any process that has made the same templates can make record n, and check that bytes are record n, without
 * keeping it. There are more templates than records in a request: within a block nothing repeats that would not in life.
 */
export class UsageRecords {
  readonly #templates: readonly Buffer[];

  /**
   * @param make makes a template; its record begins with the id FIRST_ID
   * @param organisations records are of so many organisations in turn, the first of which is `organisationId`
   */
  constructor(
    organisationId: number,
    make: (index: number, organisationId: number) => Buffer = template,
    organisations = 1,
  ) {
    this.#templates = Array.from({ length: TEMPLATES }, (_, index) =>
      make(index, organisationId + (index % organisations)),
    );
  }

  /** Bytes of record `n`. */
  lengthOf(n: number): number {
    return (this.#templates[n % TEMPLATES] as Buffer).length;
  }

  /** Whether `bytes` from `start` to `end` are record `n`, byte for byte. */
  isRecord(n: number, bytes: Buffer, start: number, end: number): boolean {
    const template = this.#templates[n % TEMPLATES] as Buffer;
    const tail = ID_OFFSET + ID_DIGITS;
    return (
      end - start === template.length &&
      bytes.compare(template, 0, ID_OFFSET, start, start + ID_OFFSET) === 0 &&
      numberAt(bytes, start) === n &&
      bytes.compare(template, tail, template.length, start + tail, end) === 0
    );
  }

  /** A JSON array of the records `first` to `first + count - 1`. */
  batch(first: number, count: number): Buffer {
    const parts: Buffer[] = [OPEN];
    for (let n = first; n < first + count; n++) {
      if (n > first) parts.push(COMMA);
      parts.push(this.#templates[n % TEMPLATES] as Buffer);
    }
    parts.push(CLOSE);
    const body = Buffer.concat(parts);
    this.renumber(body, first, first, count);
    return body;
  }

  /** Makes a batch that was made for `madeFor` the one for `first`, in place: both must lie TEMPLATES × n apart. */
  renumber(body: Buffer, madeFor: number, first: number, count: number): void {
    if ((first - madeFor) % TEMPLATES !== 0) throw new Error(`${first} is not a place for batch ${madeFor}`);
    let start = 1;
    for (let n = first; n < first + count; n++) {
      writeId(body, start + ID_OFFSET, FIRST_ID + n);
      start += this.lengthOf(n) + 1;
    }
  }
}

export const TEMPLATES = 8_000;
/** 15 digits, as emnify's ids have. */
export const FIRST_ID = 700_000_000_000_000;
const ID_OFFSET = '{"id":'.length;
export const ID_DIGITS = 15;

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

/** The number of the record that begins at `start`, or -1 if none does. */
export function numberAt(bytes: Buffer, start: number): number {
  if (bytes[start] !== 0x7b || bytes[start + ID_OFFSET - 1] !== 0x3a) return -1;
  let id = 0;
  for (let at = start + ID_OFFSET; at < start + ID_OFFSET + ID_DIGITS; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    id = id * 10 + digit;
  }
  return id >= FIRST_ID && bytes[start + ID_OFFSET + ID_DIGITS] === 0x2c ? id - FIRST_ID : -1;
}

function writeId(bytes: Buffer, at: number, id: number): void {
  let high = Math.floor(id / 1e8);
  let low = id % 1e8;
  for (let place = at + ID_DIGITS - 1; place >= at + ID_DIGITS - 8; place--) {
    bytes[place] = 0x30 + (low % 10);
    low = (low / 10) | 0;
  }
  for (let place = at + ID_DIGITS - 9; place >= at; place--) {
    bytes[place] = 0x30 + (high % 10);
    high = (high / 10) | 0;
  }
}

const OPERATORS = [
  { id: 318, name: 'Lusocel Móvel', mnc: '17', country: { id: 177, mcc: '268', name: 'Portugal' } },
  { id: 41, name: 'Nordtel Mobil', mnc: '06', country: { id: 74, mcc: '262', name: 'Germany' } },
  { id: 127, name: 'Telépolis Red', mnc: '09', country: { id: 205, mcc: '214', name: 'Spain' } },
  { id: 502, name: 'Fjordnett Mobil', mnc: '03', country: { id: 161, mcc: '242', name: 'Norway' } },
];

function template(index: number, organisationId: number): Buffer {
  const random = generator(index + 1);
  const digits = (count: number) => Array.from({ length: count }, () => Math.floor(random() * 10)).join('');
  const hexDigits = (count: number) =>
    Array.from({ length: count }, () => Math.floor(random() * 16).toString(16)).join('');
  // A device reports again and again: its own fields repeat over the fleet's records, the session's do not.
  const device = Math.floor(random() * 2_000);
  const ofDevice = generator(0x10000 + device);
  const deviceDigits = (count: number) =>
    Array.from({ length: count }, () => Math.floor(ofDevice() * 10)).join('');
  const start = Date.UTC(2026, 2, 17) + Math.floor(random() * 86_400) * 1_000;
  const end = start + 45_000 + Math.floor(random() * 1_000);
  const rx = Math.floor(random() * 300_000) + 1;
  const tx = Math.floor(random() * 100_000) + 1;
  const record = {
    id: FIRST_ID,
    traffic_type: { id: 5, description: 'Data' },
    start_timestamp: `${new Date(start).toISOString().slice(0, 19)}Z`,
    end_timestamp: new Date(end).toISOString(),
    organisation: { id: organisationId, name: 'Nordlicht Metering' },
    endpoint: {
      id: 41_800_000 + device,
      name: `heat-meter-${String(device).padStart(4, '0')}`,
      ip_address: `100.71.${device >> 8}.${device & 255}`,
      tags: 'heat,meter',
      imei: `35614009${deviceDigits(8)}`,
      balance: null,
    },
    sim: {
      id: 5_230_000 + device,
      iccid: `8999942310${deviceDigits(9)}`,
      msisdn: `88351000${deviceDigits(7)}`,
      production_date: '2024-02-01T10:15:30Z',
    },
    imsi_id: 15_440_000 + device,
    imsi: `99942000${deviceDigits(7)}`,
    operator: OPERATORS[Math.floor(random() * OPERATORS.length)],
    tariff: {
      id: 2_206,
      name: 'Meter EU',
      ratezone: { id: 9_017, name: 'Area South' },
    },
    volume: { total: (rx + tx) / 1e6, rx: rx / 1e6, tx: tx / 1e6 },
    cost: Number(`0.00${digits(7)}1`),
    currency: { id: 1, code: 'EUR', symbol: '€' },
    session_id: `${hexDigits(8)}-${hexDigits(4)}-4${hexDigits(3)}-a${hexDigits(3)}-${hexDigits(12)}`,
  };
  return Buffer.from(JSON.stringify(record));
}

/** mulberry32: the same numbers in every process; good enough for load, random moments and choices of tests. */
export function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
