import type { RecordsKind } from './streams.ts';

/** The fields of records that people name most; any other path may be typed. */
export const FIELDS: Readonly<Record<RecordsKind, readonly string[]>> = {
  usage: [
    'volume.total',
    'volume.rx',
    'volume.tx',
    'cost',
    'traffic_type.id',
    'endpoint.id',
    'endpoint.name',
    'endpoint.tags',
    'sim.iccid',
    'imsi',
    'operator.name',
    'operator.country.mcc',
    'tariff.name',
    'organisation.id',
  ],
  events: [
    'event_severity.id',
    'event_source.id',
    'description',
    'endpoint.id',
    'endpoint.name',
    'endpoint.tags',
    'sim.iccid',
    'imsi.imsi',
    'user.username',
    'organisation.id',
    'detail.pdp_context.apn',
    'detail.pdp_context.rat_type',
  ],
  sms: [
    'status.status',
    'source_address',
    'dest_address',
    'payload',
    'endpoint.id',
    'endpoint.name',
    'organisation.id',
  ],
};
