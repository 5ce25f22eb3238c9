import type { RecordKind } from './block.ts';

/**
 * The columns of CSV: those of emnify's S3 files, and for SMS, which emnify does not have, those of the schema in its
 * order. The tables are a contract with every reader of the files: the irregular names stay, and only an option adds
 * a column.
 */

/** Columns that emnify's files do not have; they come after the others, in the order of this list. */
export const EXTRA_COLUMNS = ['session_id', 'imsi_id'] as const;
export type ExtraColumn = (typeof EXTRA_COLUMNS)[number];

export interface Column {
  readonly name: string;
  /** Paths of the value. The first that is neither missing nor null counts. */
  readonly paths: readonly string[];
  /** The smallest number of decimals. */
  readonly decimals?: number;
  /** JSON text: an object, or a string with its quotes. So the cell always parses as JSON. */
  readonly json?: boolean;
  /** A time, which a dialect may write in another form. */
  readonly time?: boolean;
}

const column = (name: string, ...paths: string[]): Column => ({
  name,
  paths: paths.length > 0 ? paths : [name],
});
const time = (name: string, ...paths: string[]): Column => ({ ...column(name, ...paths), time: true });
const amount = (name: string, path: string, decimals: number): Column => ({ name, paths: [path], decimals });

/** Decimal(14,6) and Decimal(14,10) in emnify's schema. */
const VOLUME_DECIMALS = 6;
const COST_DECIMALS = 10;

const USAGE_COLUMNS: readonly Column[] = [
  column('id'),
  time('event_start_timestamp', 'start_timestamp'),
  time('event_stop_timestamp', 'end_timestamp'),
  column('organisation_id', 'organisation.id'),
  column('organisation_name', 'organisation.name'),
  column('endpoint_id', 'endpoint.id'),
  column('sim_id', 'sim.id'),
  column('iccid', 'sim.iccid'),
  column('imsi'),
  column('operator_id', 'operator.id'),
  column('operator_name', 'operator.name'),
  column('country_id', 'operator.country.id'),
  column('operator_country_name', 'operator.country.name'),
  column('traffic_type_id', 'traffic_type.id'),
  column('traffic_type_description', 'traffic_type.description'),
  amount('volume', 'volume.total', VOLUME_DECIMALS),
  amount('volume_tx', 'volume.tx', VOLUME_DECIMALS),
  amount('volume_rx', 'volume.rx', VOLUME_DECIMALS),
  amount('cost', 'cost', COST_DECIMALS),
  column('currency_id', 'currency.id'),
  column('currency_code', 'currency.code'),
  column('currency_symbol', 'currency.symbol'),
  column('ratezone_tariff_id', 'tariff.id'),
  column('ratezone_tariff_name', 'tariff.name'),
  column('ratezone_id', 'tariff.ratezone.id'),
  column('ratezone_name', 'tariff.ratezone.name'),
  column('endpoint_name', 'endpoint.name'),
  column('endpoint_ip_address', 'endpoint.ip_address'),
  column('endpoint_tags', 'endpoint.tags'),
  column('endpoint_imei', 'endpoint.imei'),
  column('msisdn_msisdn', 'sim.msisdn'),
  time('sim_production_date', 'sim.production_date'),
  column('operator_mncs', 'operator.mnc'),
  column('country_mcc', 'operator.country.mcc'),
];

const EVENT_COLUMNS: readonly Column[] = [
  column('id'),
  time('timestamp'),
  column('event_type_id', 'event_type.id'),
  column('event_type_description', 'event_type.description'),
  column('event_severity_id', 'event_severity.id'),
  column('event_severity_description', 'event_severity.description'),
  column('organisation_id', 'organisation.id'),
  column('organisation_name', 'organisation.name'),
  column('alert'),
  column('description'),
  { name: 'detail', paths: ['detail'], json: true },
  column('endpoint_id', 'endpoint.id'),
  column('endpoint_name', 'endpoint.name'),
  column('endpoint_imei', 'endpoint.imei'),
  column('endpoint_ip_address', 'endpoint.ip_address'),
  column('endpoint_tags', 'endpoint.tags'),
  column('event_source_id', 'event_source.id'),
  // The older stream form calls it `name`, the newer ones `description`.
  column('event_source_name', 'event_source.description', 'event_source.name'),
  column('sim_id', 'sim.id'),
  column('sim_iccid', 'sim.iccid'),
  column('msisdn_msisdn', 'sim.msisdn'),
  time('sim_production_date', 'sim.production_date'),
  column('imsi_id', 'imsi.id'),
  column('imsi_imsi', 'imsi.imsi'),
  column('user_id', 'user.id'),
  column('user_username', 'user.username'),
  column('user_name', 'user.name'),
];

const SMS_COLUMNS: readonly Column[] = [
  column('id'),
  time('submit_date'),
  time('final_date'),
  column('organisation_id', 'organisation.id'),
  column('organisation_name', 'organisation.name'),
  column('endpoint_id', 'endpoint.id'),
  column('endpoint_name', 'endpoint.name'),
  column('source_address'),
  column('dest_address'),
  column('status_id', 'status.id'),
  column('status', 'status.status'),
  column('payload'),
  column('dcs'),
  column('pid'),
  column('multi_part_identifier', 'multi_part_info.identifier'),
  column('multi_part_number', 'multi_part_info.partno'),
  column('multi_part_total', 'multi_part_info.total'),
  { name: 'detail', paths: ['detail'], json: true },
];

/** The columns that every file of a kind of records has, in order; docs/csv.md shows them. */
export const CSV_COLUMNS: Readonly<Record<RecordKind, readonly Column[]>> = {
  usage: USAGE_COLUMNS,
  event: EVENT_COLUMNS,
  sms: SMS_COLUMNS,
};

export const CSV_EXTRAS: Readonly<Record<RecordKind, Record<ExtraColumn, Column | undefined>>> = {
  usage: { session_id: column('session_id'), imsi_id: column('imsi_id') },
  // The events of a session carry its id in their detail; their imsi_id is among the fixed columns.
  event: { session_id: column('session_id', 'detail.session_id'), imsi_id: undefined },
  sms: { session_id: undefined, imsi_id: undefined },
};
