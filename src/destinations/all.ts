import { awsKinesis } from './aws-kinesis.ts';
import type { DestinationType } from './contract.ts';
import { datadog } from './datadog.ts';
import { eventHubs } from './event-hubs.ts';
import { keenIo } from './keen-io.ts';
import { pubSub } from './pub-sub.ts';
import { restApi } from './rest-api.ts';
import { s3 } from './s3.ts';

/** Every connection type, in the order in which they are offered. A new connector is one line here. */
const types: readonly DestinationType[] = [restApi, awsKinesis, s3, eventHubs, pubSub, keenIo, datadog];

/** By emnify's name: the value of `destination.connection_type`. */
export const destinationTypes: ReadonlyMap<string, DestinationType> = new Map(
  types.map((type) => [type.connectionType, type]),
);
