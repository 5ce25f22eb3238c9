/** The world that the simulated fleet lives in. Countries are real; operators, prices and customers are invented. */
interface Country {
  readonly id: number;
  readonly name: string;
  /** Telephone prefix. */
  readonly code: string;
  readonly mcc: string;
  readonly iso: string;
  readonly ratezone: { readonly id: number; readonly name: string };
}

export interface Operator {
  readonly id: number;
  readonly name: string;
  readonly mnc: string;
  readonly tapcode: string;
  readonly country: Country;
}

interface Tariff {
  readonly id: number;
  readonly name: string;
  /** 10^-4 EUR a megabyte: times bytes, this is the cost in 10^-10 EUR, exactly. */
  readonly price: number;
}

/** How a kind of device behaves. Times in milliseconds, rates in bytes a second; ranges are drawn on a log scale. */
export interface Profile {
  readonly name: string;
  readonly tags: string | null;
  readonly apn: string;
  readonly tariff: Tariff;
  /** Out of 20 devices. */
  readonly share: number;
  /** Mean time from a session's end to the next. */
  readonly pause: number;
  readonly session: Range;
  readonly rate: Range;
  /** Part of the bytes that the device sends. */
  readonly sent: number;
  /** Mean time between short messages, and between changes of operator; Infinity: none. */
  readonly smsEvery: number;
  readonly roamEvery: number;
  /** Bytes of data that it may use until somebody assigns more; Infinity: no quota. */
  readonly quota: number;
  readonly ratType: number;
}

export type Range = readonly [low: number, high: number];

const zone = (id: number, name: string) => ({ id, name });
const SOUTH = zone(9017, 'Area South');
const CENTRE = zone(9018, 'Area Centre');
const NORTH = zone(9019, 'Area North');

const PORTUGAL: Country = { id: 177, name: 'Portugal', code: '351', mcc: '268', iso: 'pt', ratezone: SOUTH };
const SPAIN: Country = { id: 199, name: 'Spain', code: '34', mcc: '214', iso: 'es', ratezone: SOUTH };
const GERMANY: Country = { id: 74, name: 'Germany', code: '49', mcc: '262', iso: 'de', ratezone: CENTRE };
const NETHERLANDS: Country = {
  id: 146,
  name: 'Netherlands',
  code: '31',
  mcc: '204',
  iso: 'nl',
  ratezone: CENTRE,
};
const NORWAY: Country = { id: 159, name: 'Norway', code: '47', mcc: '242', iso: 'no', ratezone: NORTH };
const ESTONIA: Country = { id: 62, name: 'Estonia', code: '372', mcc: '248', iso: 'ee', ratezone: NORTH };

export const OPERATORS: readonly Operator[] = [
  { id: 318, name: 'Lusocel Móvel', mnc: '17', tapcode: 'PRTLC', country: PORTUGAL },
  { id: 319, name: 'Atlântica Rede', mnc: '19', tapcode: 'PRTAR', country: PORTUGAL },
  { id: 402, name: 'Iberfón', mnc: '31', tapcode: 'ESPIF', country: SPAIN },
  { id: 403, name: 'Cantábrica Móvil', mnc: '33', tapcode: 'ESPCM', country: SPAIN },
  { id: 511, name: 'Nordfunk', mnc: '41', tapcode: 'DEUNF', country: GERMANY },
  { id: 512, name: 'Rheintal Mobil', mnc: '42', tapcode: 'DEURM', country: GERMANY },
  { id: 513, name: 'Süd-Netz', mnc: '43', tapcode: 'DEUSN', country: GERMANY },
  { id: 620, name: 'Waddenmobiel', mnc: '27', tapcode: 'NLDWM', country: NETHERLANDS },
  { id: 621, name: 'Polderlink', mnc: '29', tapcode: 'NLDPL', country: NETHERLANDS },
  { id: 733, name: 'Fjordtal', mnc: '08', tapcode: 'NORFT', country: NORWAY },
  { id: 734, name: 'Nordlys Nett', mnc: '09', tapcode: 'NORNN', country: NORWAY },
  { id: 840, name: 'Virumaa Side', mnc: '06', tapcode: 'ESTVS', country: ESTONIA },
];

const METER: Tariff = { id: 2206, name: 'Meter EU', price: 100 };
const MOBILE: Tariff = { id: 2207, name: 'Mobile EU', price: 63 };
const VIDEO: Tariff = { id: 2210, name: 'Video 50', price: 9 };

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const NEVER = Number.POSITIVE_INFINITY;

/** 4G, NB-IoT and 3G as RAT types. */
const LTE = 6;
const NB_IOT = 8;
const UMTS = 1;

export const PROFILES: readonly Profile[] = [
  {
    name: 'heat-meter',
    tags: null,
    apn: 'meters.iot',
    tariff: METER,
    share: 5,
    pause: 2 * HOUR,
    session: [20 * SECOND, 90 * SECOND],
    rate: [60, 600],
    sent: 0.85,
    smsEvery: NEVER,
    roamEvery: 4 * 24 * HOUR,
    quota: NEVER,
    ratType: NB_IOT,
  },
  {
    name: 'tracker',
    tags: 'logistics,trailer',
    apn: 'tracking.iot',
    tariff: MOBILE,
    share: 7,
    pause: 12 * MINUTE,
    session: [8 * MINUTE, 70 * MINUTE],
    rate: [800, 4000],
    sent: 0.7,
    smsEvery: 8 * HOUR,
    roamEvery: 3 * HOUR,
    quota: 60_000_000,
    ratType: LTE,
  },
  {
    name: 'camera',
    tags: 'site',
    apn: 'video.iot',
    tariff: VIDEO,
    share: 2,
    pause: 20 * MINUTE,
    session: [4 * MINUTE, 35 * MINUTE],
    rate: [20_000, 200_000],
    sent: 0.96,
    smsEvery: NEVER,
    roamEvery: 24 * HOUR,
    quota: 1_000_000_000,
    ratType: LTE,
  },
  {
    name: 'lock',
    tags: 'pilot',
    apn: 'access.iot',
    tariff: METER,
    share: 3,
    pause: 15 * MINUTE,
    session: [4 * SECOND, 20 * SECOND],
    rate: [100, 900],
    sent: 0.5,
    smsEvery: 3 * HOUR,
    roamEvery: 12 * HOUR,
    quota: NEVER,
    ratType: UMTS,
  },
  {
    name: 'till',
    tags: 'shop',
    apn: 'payment.iot',
    tariff: MOBILE,
    share: 2,
    pause: 3 * MINUTE,
    session: [5 * SECOND, 25 * SECOND],
    rate: [500, 4000],
    sent: 0.4,
    smsEvery: NEVER,
    roamEvery: 24 * HOUR,
    quota: NEVER,
    ratType: LTE,
  },
  {
    name: 'buoy',
    tags: null,
    apn: 'sea.iot',
    tariff: MOBILE,
    share: 1,
    pause: HOUR,
    session: [30 * SECOND, 6 * MINUTE],
    rate: [300, 5000],
    sent: 0.9,
    smsEvery: 20 * MINUTE,
    roamEvery: 6 * HOUR,
    quota: 20_000_000,
    ratType: LTE,
  },
];
