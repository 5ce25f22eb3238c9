import type { RecordKind } from './block.ts';
import { MOST_AMOUNT_DIGITS } from './decimal.ts';

/**
 * The fields of records. The checks of examine.ts, the schemas of the OpenAPI document and the tables of docs/records.md
 * all come from these lists. scan.ts checks the mandatory fields on its fast path; a property test compares both.
 *
 * Only mandatory fields are checked. simstream keeps and delivers all other content unchanged: the other fields of this
 * list in any form, and fields outside of it.
 */
export interface RecordField {
  /** Names joined by dots. */
  readonly path: string;
  readonly type: FieldType;
  /** Must be in the record. */
  readonly mandatory?: true;
  /** May be null. For a field that is not mandatory, null and missing mean the same. */
  readonly nullable?: true;
  readonly unit?: string;
  readonly meaning: string;
}

/** See TYPES. */
export type FieldType =
  | 'record id'
  | 'organisation id'
  | 'type id'
  | 'integer'
  | 'decimal'
  | 'timestamp'
  | 'text'
  | 'flag'
  | 'object';

/** The meaning of the types, for the documentation. */
export const TYPES: Readonly<Record<FieldType, string>> = {
  'record id': 'An integer from 0 to 2^64−1. It can be larger than the integers that a double holds exactly.',
  'organisation id': `An integer from 1 to 2^53−1.`,
  'type id': 'An integer from 0 to 2^32−1. The sets are open: expect ids that you do not know.',
  integer: 'An integer, up to 64 bits.',
  decimal: `A JSON number, usually with up to ten decimals; more than ${MOST_AMOUNT_DIGITS} digits before the point or behind it are refused. Read it as a decimal, not as a binary floating-point number.`,
  timestamp:
    'A text: `2025-03-17T06:02:48Z`, with or without a fraction of up to nine digits, with `Z` or an offset (`+02:00`, `+0200`, `+02`); or `2025-03-17 06:02:48`, which is UTC unless an offset follows. It is delivered unchanged.',
  text: 'A text.',
  flag: '`true` or `false`; older producers send `1` or `0`.',
  object: 'An object, rarely a text.',
};

type Rest = Pick<RecordField, 'unit'>;
const field = (path: string, type: FieldType, meaning: string, rest: Rest = {}): RecordField => ({
  path,
  type,
  meaning,
  ...rest,
});
const optional = (path: string, type: FieldType, meaning: string, rest: Rest = {}): RecordField => ({
  ...field(path, type, meaning, rest),
  nullable: true,
});
const mandatory = (path: string, type: FieldType, meaning: string, rest: Rest = {}): RecordField => ({
  ...field(path, type, meaning, rest),
  mandatory: true,
});

const VOLUME = { unit: 'MB (10^6 bytes) of data, or messages' };

const ORGANISATION: readonly RecordField[] = [
  mandatory(
    'organisation.id',
    'organisation id',
    'The owner of the SIM. It determines which data streams get the record.',
  ),
  field('organisation.name', 'text', 'Its name.'),
];
const ENDPOINT: readonly RecordField[] = [
  field('endpoint.id', 'integer', 'The device. Destinations with keys preserve the order of each device.'),
  optional('endpoint.name', 'text', 'Its name.'),
  optional('endpoint.ip_address', 'text', 'Its private address.'),
  optional('endpoint.tags', 'text', 'Free text, usually a list with commas.'),
  optional('endpoint.imei', 'text', '15 digits, or 16 with the software version.'),
];
const SIM: readonly RecordField[] = [
  field('sim.id', 'integer', 'The SIM.'),
  field('sim.iccid', 'text', '19 digits, or 20 with the check digit.'),
  optional('sim.msisdn', 'text', 'Its telephone number.'),
  optional('sim.production_date', 'timestamp', 'When the SIM was made.'),
];

/**
 * The record that a platform sends when a device has sent a short message, and when a message to a device has arrived
 * or failed.
 */
const SMS_FIELDS: readonly RecordField[] = [
  mandatory(
    'id',
    'record id',
    'The record. If you already have an SMS record with this id, it is a repetition: drop it.',
  ),
  mandatory('submit_date', 'timestamp', 'When the message was sent.'),
  optional(
    'final_date',
    'timestamp',
    'Delivery report: the time of the delivery, or of the last failed try.',
  ),
  ...ORGANISATION,
  ...ENDPOINT,
  ...SIM,
  optional('status.id', 'type id', 'Delivery report: the result; 4 is delivered.'),
  optional('status.status', 'text', 'Delivery report: `DELIVERED`, `FAILED` or `EXPIRED`.'),
  optional('source_address', 'text', 'Message of a device: its telephone number.'),
  optional('dest_address', 'text', 'Message of a device: the number to which it sent the message.'),
  optional('payload', 'text', 'Message of a device: the text, or binary data in the coding that `dcs` says.'),
  optional('dcs', 'integer', 'Message of a device: the data coding scheme of the payload.'),
  optional('pid', 'integer', 'Message of a device: the protocol identifier.'),
  optional('multi_part_info.identifier', 'integer', 'A long message: the number that its parts share.'),
  optional('multi_part_info.partno', 'integer', 'A long message: which part this is, from 1.'),
  optional('multi_part_info.total', 'integer', 'A long message: the number of its parts.'),
  optional('detail', 'object', 'Further data; of a delivery report the id of the message in `sms.id`.'),
];

export const RECORD_FIELDS: Readonly<Record<RecordKind, readonly RecordField[]>> = {
  usage: [
    mandatory(
      'id',
      'record id',
      'The record. If you already have usage with this id, it is a repetition: drop it.',
    ),
    mandatory('traffic_type.id', 'type id', '5 data, 6 SMS.'),
    field('traffic_type.description', 'text', '`Data` or `SMS`.'),
    mandatory('start_timestamp', 'timestamp', 'Start of the part of the session that the record covers.'),
    {
      ...mandatory(
        'end_timestamp',
        'timestamp',
        'End of this part; null while the session is open and the end is not known.',
      ),
      nullable: true,
    },
    ...ORGANISATION,
    ...ENDPOINT,
    optional('endpoint.balance', 'object', 'Prepaid: amount, currency, expiry date.'),
    ...SIM,
    field('imsi_id', 'integer', 'The IMSI that was used.'),
    field('imsi', 'text', 'Its digits.'),
    field('operator.id', 'integer', 'The visited mobile network.'),
    field('operator.name', 'text', 'Its name.'),
    field('operator.mnc', 'text', 'Its mobile network code; a leading zero counts.'),
    field('operator.country.id', 'integer', 'The country of the network.'),
    field('operator.country.mcc', 'text', 'Its mobile country code.'),
    field('operator.country.name', 'text', 'Its name.'),
    optional('tariff.id', 'integer', 'The data plan.'),
    optional('tariff.name', 'text', 'Its name.'),
    optional('tariff.ratezone.id', 'integer', 'The coverage area in the data plan.'),
    optional('tariff.ratezone.name', 'text', 'Its name.'),
    mandatory('volume.total', 'decimal', 'The total volume: rx + tx.', VOLUME),
    mandatory('volume.rx', 'decimal', 'Data: towards the device. SMS: sent by the device.', VOLUME),
    mandatory('volume.tx', 'decimal', 'Data: from the device. SMS: sent to the device.', VOLUME),
    {
      ...mandatory(
        'cost',
        'decimal',
        'The cost of this part of the session; null if the platform does not rate it.',
        {
          unit: 'the currency of the record',
        },
      ),
      nullable: true,
    },
    field('currency.id', 'integer', 'The currency of `cost`; 1 is the euro.'),
    field('currency.code', 'text', 'Its code, as in ISO 4217.'),
    field('currency.symbol', 'text', 'Its symbol.'),
    field(
      'session_id',
      'text',
      'Connects the records of a session with its events of types 3 and 5. Producers before 2024 do not send it.',
    ),
  ],
  event: [
    mandatory(
      'id',
      'record id',
      'The event. If you already have an event with this id, it is a repetition: drop it.',
    ),
    mandatory('timestamp', 'timestamp', 'When it happened.'),
    mandatory('event_type.id', 'type id', 'The type of the event: see the table of event types.'),
    field('event_type.description', 'text', 'The name of the type.'),
    field('description', 'text', 'The event in words, for people. The wording changes without notice.'),
    field(
      'event_severity.id',
      'type id',
      '0 Info: expected. 1 Warn: unusual, but not urgent. 2 Critical: a person must act.',
    ),
    field('event_severity.description', 'text', 'Its name, in capitals or not.'),
    optional('alert', 'flag', 'Whether the event matters at once; missing or null is false. Filters use it.'),
    field(
      'event_source.id',
      'type id',
      '0 Network, 1 Policy Control, 2 API; actions in a portal count as API.',
    ),
    field('event_source.description', 'text', 'Its name; older producers call the field `name`.'),
    ...ORGANISATION,
    optional('user.id', 'integer', 'The user who acted; missing if an application token or no user acted.'),
    optional('user.name', 'text', 'Name of the user.'),
    optional('user.username', 'text', 'Login of the user.'),
    ...ENDPOINT,
    ...SIM,
    optional('imsi.id', 'integer', 'The IMSI that was active last.'),
    optional('imsi.imsi', 'text', 'Its digits.'),
    optional('imsi.import_date', 'timestamp', 'When the platform imported it.'),
    optional('detail', 'object', 'Further data of this type of event.'),
  ],
  sms: SMS_FIELDS,
};

/** One tree of the objects that have fields, for example `operator.country`, with their fields. */
export interface FieldTree {
  readonly fields: ReadonlyMap<string, RecordField | FieldTree>;
}

export function fieldTree(kind: RecordKind): FieldTree {
  const root = { fields: new Map<string, RecordField | FieldTree>() };
  for (const each of RECORD_FIELDS[kind]) {
    const names = each.path.split('.');
    let at = root;
    for (const name of names.slice(0, -1)) {
      let inner = at.fields.get(name) as typeof root | undefined;
      if (!inner) {
        inner = { fields: new Map() };
        at.fields.set(name, inner);
      }
      at = inner;
    }
    at.fields.set(names.at(-1) as string, each);
  }
  return root;
}
