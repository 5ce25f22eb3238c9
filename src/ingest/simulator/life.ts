import { exponential, logUniform, pick, uuid } from './chance.ts';
import type { Device } from './device.ts';
import {
  closedDetail,
  type DataSession,
  dataUsage,
  type EventContent,
  networkDetail,
  openedDetail,
  smsRecord,
  smsUsage,
} from './records.ts';
import type { Surroundings } from './surroundings.ts';
import { OPERATORS, type Operator } from './world.ts';

/**
 * The life of one device.
 *
 *   off ──switchOn──▶ idle ⇄ session          (open; close, or the quota is used up)
 *   idle, session, blocked ──roam──▶ searching ──▶ idle or blocked, in another network
 *   session ──quota used up──▶ blocked ──more quota──▶ idle
 *
 *  F1  A device has at most one data session, and has one only while it is attached.
 *  F2  Every slice of usage belongs to a session, in the network in which it was opened; slices do not overlap.
 *  F3  The slices of a session add up to the volume that its closing event tells, to the byte.
 *  F4  A slice is cut every 45 s if at least 100 KB moved since the last one, and once at the close, with any volume.
 *  F5  A blocked device's attempts to open a session are refused until quota is assigned.
 */
type Life = { switchOn(): void };

interface OpenSession extends DataSession {
  readonly closesAt: number;
  /** Bytes a second. */
  readonly rate: number;
  /** How much later than it happened its usage is reported; 0 for nearly all. */
  readonly late: number;
  total: { rx: number; tx: number };
  /** Since the last slice. */
  slice: { from: number; rx: number; tx: number };
  tickedAt: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** As emnify's network does: a slice every 45 s of a session while at least 100 KB moved. */
const CUT_EVERY = 45 * SECOND;
const CUT_BYTES = 100_000;
/** A session in some hundred is reported late by the visited network, hours or days after it happened. */
const LATE_SHARE = 0.015;
const LATE_BY = [2 * HOUR, 60 * HOUR] as const;
/** One session in some dozens moves nothing at all: the device wakes up and has nothing to send. */
const SILENT_SHARE = 0.03;
const THRESHOLD_PERCENTAGE = 20;
const RETRY_BLOCKED = [40 * SECOND, 6 * MINUTE] as const;
const QUOTA_AFTER = [3 * MINUTE, 25 * MINUTE] as const;

export function createLife(
  device: Device,
  { random, now, later, emitUsage, emitSms, emitEvent, number }: Surroundings,
): Life {
  const { profile } = device;
  let network: Operator | undefined;
  let session: OpenSession | undefined;
  let blocked = false;
  let used = 0;
  let warned = false;
  // Grows with each change of mode: plans of the mode before are dropped.
  let mode = 0;

  const inThisMode = (delay: number, run: () => void) => {
    const planned = mode;
    later(delay, () => {
      if (planned === mode) run();
    });
  };
  const send = (content: EventContent) => emitEvent(device, content);

  const switchOn = () => {
    attach(device.home);
    // The first session comes soon for every profile: a device that is switched on reports itself.
    inThisMode(logUniform(random, [2 * SECOND, 40 * SECOND]), open);
    later(exponential(random, profile.roamEvery), roam);
    later(exponential(random, profile.smsEvery), shortMessage);
  };

  const attach = (operator: Operator) => {
    network = operator;
    const { imsi } = device.imsi;
    const core = operator.id % 200;
    send({
      ...NETWORK_NEWS,
      type: [1, 'Update location'],
      description: `VLR '${operator.country.code}99000${operator.id}' has IMSI '${imsi}' now.`,
      detail: networkDetail(operator),
    });
    send({
      ...NETWORK_NEWS,
      type: [2, 'Update GPRS location'],
      description: `SGSN '${operator.country.code}99700${operator.id}' at 192.0.2.${1 + core} has IMSI '${imsi}' now.`,
      detail: networkDetail(operator),
    });
  };

  const open = () => {
    if (!network) return;
    if (blocked) {
      send({
        ...POLICY_WARNING,
        type: [3, 'Create PDP Context'],
        description: 'Data session refused: quota used up, and its action is block.',
        detail: null,
      });
      return inThisMode(logUniform(random, RETRY_BLOCKED), open);
    }
    mode++;
    const silent = random.next() < SILENT_SHARE;
    session = {
      id: uuid(random),
      number: number(),
      operator: network,
      openedAt: now(),
      closesAt: now() + Math.round(logUniform(random, profile.session)),
      rate: silent ? 0 : logUniform(random, profile.rate),
      late: random.next() < LATE_SHARE ? logUniform(random, LATE_BY) : 0,
      total: { rx: 0, tx: 0 },
      slice: { from: now(), rx: 0, tx: 0 },
      tickedAt: now(),
    };
    send({
      ...NETWORK_NEWS,
      type: [3, 'Create PDP Context'],
      description: `Data session opened in ${network.name}, ${network.country.name}.`,
      detail: openedDetail(device, session),
    });
    planTick(session);
  };

  const planTick = ({ closesAt }: OpenSession) =>
    inThisMode(Math.min(CUT_EVERY, closesAt - now()), () => {
      const open = session as OpenSession;
      move(open);
      if (used >= profile.quota) return exhaust();
      if (now() >= open.closesAt) return close();
      if (open.slice.rx + open.slice.tx >= CUT_BYTES) cut(open);
      planTick(open);
    });

  /** Bytes since the last tick. */
  const move = (open: OpenSession) => {
    const bytes = Math.round((open.rate * (now() - open.tickedAt) * (0.6 + 0.8 * random.next())) / SECOND);
    const tx = Math.round(bytes * Math.min(0.99, profile.sent * (0.9 + 0.2 * random.next())));
    open.tickedAt = now();
    for (const count of [open.total, open.slice]) {
      count.tx += tx;
      count.rx += bytes - tx;
    }
    used += bytes;
    const left = profile.quota - used;
    if (warned || left <= 0 || used < profile.quota * (1 - THRESHOLD_PERCENTAGE / 100)) return;
    warned = true;
    send({
      ...POLICY_WARNING,
      type: [18, 'Quota threshold reached'],
      description: `Less than ${THRESHOLD_PERCENTAGE} % of the data quota is left.`,
      detail: { quota: { ...threshold(), volume: left / 1e6 } },
    });
  };

  const cut = (open: OpenSession) => {
    const { from, rx, tx } = open.slice;
    const to = now();
    open.slice = { from: to, rx: 0, tx: 0 };
    const report = () => emitUsage((id) => dataUsage(device, open, { id, from, to, volume: { rx, tx } }));
    if (open.late > 0) later(open.late, report);
    else report();
  };

  const close = () => {
    const closed = session;
    if (!closed) return;
    mode++;
    if (closed.tickedAt < now()) move(closed);
    cut(closed);
    session = undefined;
    send({
      ...NETWORK_NEWS,
      type: [5, 'Delete PDP Context'],
      description: 'Data session closed.',
      detail: closedDetail(device, closed, closed.total),
    });
    if (!blocked) inThisMode(exponential(random, profile.pause), open);
  };

  const exhaust = () => {
    blocked = true;
    send({
      ...POLICY_WARNING,
      type: [19, 'Quota used up'],
      description: 'The data quota is used up.',
      detail: { quota: { ...threshold(), volume: '0.000000' } },
    });
    send({
      ...POLICY_WARNING,
      type: [11, 'Endpoint blocked'],
      description: 'Data is blocked: the quota is used up.',
      detail: null,
    });
    close();
    inThisMode(logUniform(random, RETRY_BLOCKED), open);
    later(logUniform(random, QUOTA_AFTER), assignQuota);
  };

  const assignQuota = () => {
    blocked = false;
    warned = false;
    used = 0;
    send({
      source: 'API',
      severity: 'INFO',
      type: [56, 'Data quota assigned'],
      description: `A data quota of ${profile.quota / 1e6} MB was assigned.`,
      detail: { quota: assignedQuota(profile.quota, now()) },
    });
    // While it searches a network, its plan is to attach.
    if (!network) return;
    mode++;
    inThisMode(logUniform(random, [SECOND, 30 * SECOND]), open);
  };

  /** Leaves the network, in mid-session or not, and turns up in another one. */
  const roam = () => {
    const left = network;
    later(exponential(random, profile.roamEvery), roam);
    if (!left) return;
    const wasOpen = session !== undefined;
    close();
    network = undefined;
    mode++;
    const { imsi } = device.imsi;
    send({
      ...NETWORK_NEWS,
      type: [15, 'Purge location'],
      description: `The VLR in ${left.name} forgot IMSI '${imsi}'.`,
      detail: null,
    });
    send({
      ...NETWORK_NEWS,
      type: [16, 'Purge GPRS location'],
      description: `The SGSN in ${left.name} forgot IMSI '${imsi}'.`,
      detail: null,
    });
    inThisMode(logUniform(random, [2 * SECOND, MINUTE]), () => {
      attach(
        pick(
          random,
          OPERATORS.filter((operator) => operator !== left),
        ),
      );
      inThisMode(wasOpen ? 3 * SECOND : exponential(random, profile.pause), open);
    });
  };

  const shortMessage = () => {
    later(exponential(random, profile.smsEvery), shortMessage);
    if (!network) return;
    const operator = network;
    const byDevice = random.next() < 0.7;
    const sessionId = uuid(random);
    const from = now();
    later(400 + random.next() * 2000, () => {
      const to = now();
      emitUsage((id) => smsUsage(device, operator, { id, from, to, byDevice, sessionId }));
      emitSms((id) => smsRecord(device, { id, from, to, byDevice }));
    });
  };

  const threshold = () => ({
    threshold_percentage: THRESHOLD_PERCENTAGE,
    threshold_volume: (profile.quota * THRESHOLD_PERCENTAGE) / 1e8,
  });

  return { switchOn };
}

const NETWORK_NEWS = { source: 'Network', severity: 'INFO' } as const;
const POLICY_WARNING = { source: 'Policy Control', severity: 'WARN' } as const;

function assignedQuota(bytes: number, now: number) {
  const volume = bytes / 1e6;
  const second = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`;
  return {
    status: { id: 1, description: 'Active' },
    action_on_exhaustion: { id: 1, description: 'Block' },
    volume,
    expiryDate: second(now + 30 * 24 * HOUR),
    lastVolumeAdded: volume,
    lastStatusChangeDate: second(now),
    autoRefill: false,
    thresholdPercentage: THRESHOLD_PERCENTAGE,
    thresholdVolume: (volume * THRESHOLD_PERCENTAGE) / 100,
  };
}
