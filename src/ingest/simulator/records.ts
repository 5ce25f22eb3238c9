import type { Device } from './device.ts';
import { decimalText, exact, megabytes } from './exact-json.ts';
import type { Operator } from './world.ts';

/** The texts of records, in the newer stream form. Times are milliseconds since the epoch. */

interface Volume {
  readonly rx: number;
  readonly tx: number;
}

export interface DataSession {
  readonly id: string;
  readonly openedAt: number;
  readonly operator: Operator;
  /** The number behind tunnel and cell ids. */
  readonly number: number;
}

const EURO = { id: 1, code: 'EUR', symbol: '€' };

/** A slice of a data session. Volume in bytes; the cost follows from it and the tariff, exactly. */
export function dataUsage(
  device: Device,
  session: DataSession,
  slice: { id: bigint; from: number; to: number; volume: Volume },
): string {
  const { rx, tx } = slice.volume;
  return usage(device, session.operator, {
    id: slice.id,
    trafficType: { id: 5, description: 'Data' },
    from: slice.from,
    to: slice.to,
    volume: { total: megabytes(rx + tx), rx: megabytes(rx), tx: megabytes(tx) },
    cost: exact(decimalText((rx + tx) * device.profile.tariff.price, 10)),
    sessionId: session.id,
  });
}

/** Prices of a short message in 10^-10 EUR: sent by the device, and to it. */
const SMS_SENT = 650_000_000;
const SMS_RECEIVED = 410_000_000;

/** A short message. In a usage record of SMS, `rx` counts what the device sent and `tx` what was sent to it. */
export function smsUsage(
  device: Device,
  operator: Operator,
  sms: { id: bigint; from: number; to: number; byDevice: boolean; sessionId: string },
): string {
  return usage(device, operator, {
    id: sms.id,
    trafficType: { id: 6, description: 'SMS' },
    from: sms.from,
    to: sms.to,
    volume: { total: 1, rx: sms.byDevice ? 1 : 0, tx: sms.byDevice ? 0 : 1 },
    cost: exact(decimalText(sms.byDevice ? SMS_SENT : SMS_RECEIVED, 10)),
    sessionId: sms.sessionId,
  });
}

/** A message that a device sends: its level of charge, as a battery of its age has it. */
const payloadOf = (id: bigint) => `battery=${(3 + Number(id % 700n) / 1000).toFixed(2)}`;
/** The number to which devices send. */
const SERVICE_NUMBER = '338';
/** The answer of the network to nearly all messages; one in fifty expires because its device is out of reach. */
const DELIVERED = { status: 'DELIVERED', id: 4 };
const EXPIRED = { status: 'EXPIRED', id: 6 };

/** The same short message as an SMS record: what the device sent, or the report on what was sent to it. */
export function smsRecord(
  { organisation, endpoint, sim }: Device,
  { id, from, to, byDevice }: { id: bigint; from: number; to: number; byDevice: boolean },
): string {
  const common = { id: exact(String(id)), submit_date: seconds(from) };
  const whose = { organisation: { id: organisation.id }, endpoint: { id: endpoint.id, name: endpoint.name } };
  if (byDevice) {
    const addresses = { source_address: sim.msisdn, dest_address: SERVICE_NUMBER };
    return JSON.stringify({ ...common, pid: 0, ...whose, ...addresses, dcs: 0, payload: payloadOf(id) });
  }
  const status = id % 50n === 0n ? EXPIRED : DELIVERED;
  return JSON.stringify({
    ...common,
    final_date: seconds(to),
    ...whose,
    status,
    detail: { sms: { id: String(id) } },
  });
}

function usage(
  { organisation, endpoint, sim, imsi, profile }: Device,
  { id: operatorId, name, mnc, country }: Operator,
  record: {
    id: bigint;
    trafficType: { id: number; description: string };
    from: number;
    to: number;
    volume: Record<'total' | 'rx' | 'tx', unknown>;
    cost: unknown;
    sessionId: string;
  },
): string {
  return JSON.stringify({
    id: exact(String(record.id)),
    traffic_type: record.trafficType,
    start_timestamp: seconds(record.from),
    end_timestamp: new Date(record.to).toISOString(),
    organisation,
    endpoint: {
      id: endpoint.id,
      name: endpoint.name,
      ip_address: endpoint.ip,
      tags: endpoint.tags,
      imei: endpoint.imei,
      balance: null,
    },
    sim: { id: sim.id, iccid: sim.iccid, msisdn: sim.msisdn, production_date: sim.productionDate },
    imsi_id: imsi.id,
    imsi: imsi.imsi,
    operator: {
      id: operatorId,
      name,
      mnc,
      country: { id: country.id, mcc: country.mcc, name: country.name },
    },
    tariff: { id: profile.tariff.id, name: profile.tariff.name, ratezone: country.ratezone },
    volume: record.volume,
    cost: record.cost,
    currency: EURO,
    session_id: record.sessionId,
  });
}

const SEVERITIES = { INFO: 0, WARN: 1 } as const;
const SOURCES = { Network: 0, 'Policy Control': 1, API: 2 } as const;

export interface EventContent {
  readonly type: readonly [id: number, description: string];
  readonly description: string;
  readonly source: keyof typeof SOURCES;
  /** A warning raises the alert, as the types used here do. */
  readonly severity: keyof typeof SEVERITIES;
  readonly detail: unknown;
}

export function event(device: Device, id: bigint, at: number, content: EventContent): string {
  const { organisation, endpoint, sim, imsi } = device;
  return JSON.stringify({
    timestamp: seconds(at),
    alert: content.severity === 'WARN',
    description: content.description,
    id: exact(String(id)),
    event_type: { id: content.type[0], description: content.type[1] },
    event_source: { id: SOURCES[content.source], description: content.source },
    event_severity: { id: SEVERITIES[content.severity], description: content.severity },
    organisation,
    endpoint: {
      id: endpoint.id,
      imei: endpoint.imei,
      ip_address: endpoint.ip,
      name: endpoint.name,
      tags: endpoint.tags,
    },
    sim: { iccid: sim.iccid, id: sim.id, production_date: sim.productionDate, msisdn: sim.msisdn },
    imsi: { id: imsi.id, import_date: sim.productionDate, imsi: imsi.imsi },
    detail: content.detail,
    user: null,
  });
}

/** `detail` of a location update. */
export function networkDetail({ id, name, mnc, tapcode, country }: Operator) {
  return {
    id,
    name,
    country: {
      id: country.id,
      name: country.name,
      country_code: country.code,
      mcc: country.mcc,
      iso_code: country.iso,
    },
    tapcode: [{ id: id + 584, tapcode }],
    mnc: [{ id: id + 1122, mnc }],
  };
}

/** `detail` of an opened data session. */
export function openedDetail(device: Device, session: DataSession) {
  const { operator } = session;
  return {
    ...networkDetail(operator),
    session_id: session.id,
    pdp_context: {
      ...pdpContext(device, session, '198.51.100.23', device.profile.apn),
      operator_id: String(operator.id),
      tariff_profile_id: String(440_000 + device.profile.tariff.id),
      tariff_id: String(device.profile.tariff.id),
      ratezone_id: String(operator.country.ratezone.id),
    },
  };
}

/** `detail` of a closed data session, with its whole volume. */
export function closedDetail(device: Device, session: DataSession, { rx, tx }: Volume) {
  return {
    ...networkDetail(session.operator),
    session_id: session.id,
    pdp_context: pdpContext(device, session, null, null),
    volume: { rx: megabytes(rx), tx: megabytes(tx), total: megabytes(rx + tx) },
  };
}

function pdpContext(device: Device, session: DataSession, breakout: string | null, apn: string | null) {
  const { number, operator } = session;
  const { ratType } = device.profile;
  const packetOnly = ratType >= 6;
  const gateway = operator.id % 200;
  return {
    pdp_context_id: 60_000_000 + (number % 30_000_000),
    tunnel_created: new Date(session.openedAt).toISOString().slice(0, 19),
    gtp_version: packetOnly ? 2 : 1,
    region: 'eu-central-1',
    breakout_ip: breakout,
    apn,
    nsapi: 6,
    ue_ip_address: device.endpoint.ip,
    imeisv: device.endpoint.imeisv,
    imsi: device.imsi.imsi,
    mcc: operator.country.mcc,
    mnc: operator.mnc,
    lac: 4000 + (number % 900),
    sac: packetOnly ? null : 100 + (number % 90),
    rac: packetOnly ? null : number % 7,
    ci: 30_000 + (number % 9000),
    rat_type: ratType,
    rx_teid: (number * 2_654_435) % 2 ** 32,
    tx_teid_control_plane: (number * 40_503 + 17) % 2 ** 32,
    tx_teid_data_plane: (number * 69_069 + 1) % 2 ** 32,
    ggsn_control_plane_ip_address: '203.0.113.8',
    ggsn_data_plane_ip_address: '203.0.113.9',
    sgsn_control_plane_ip_address: `192.0.2.${1 + gateway}`,
    sgsn_data_plane_ip_address: `192.0.2.${2 + gateway}`,
  };
}

const seconds = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`;
