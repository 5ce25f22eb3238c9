import { awsKinesis } from './aws/kinesis.ts';
import { s3 } from './aws/s3.ts';
import { eventHubs } from './azure/event-hubs.ts';
import type { DestinationType } from './contract.ts';
import { datadog } from './datadog/datadog.ts';
import { pubSub } from './google/pub-sub.ts';
import { restApi } from './http/rest-api.ts';
import { keenIo } from './keen/keen-io.ts';

/** Every connection type, in the order of the form. A new connector is one line here. */
const types: readonly DestinationType[] = [restApi, awsKinesis, s3, eventHubs, pubSub, keenIo, datadog];

/** By emnify's name: the value of `destination.connection_type`. */
export const destinationTypes: ReadonlyMap<string, DestinationType> = new Map(
  types.map((type) => [type.connectionType, type]),
);
