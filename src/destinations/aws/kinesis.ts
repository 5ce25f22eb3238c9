import { Type } from 'typebox';
import { CLOUD_EVENT_BYTES } from '../cloud-event.ts';
import { type ConfigurationFault, defineDestination } from '../contract.ts';
import { awsFaults, parseRole, type Role, regionField, roleArnField } from './names.ts';
import { awsSetup } from './setup.ts';

/**
 * PutRecords takes 500 records and 5 MiB, keys included, of which each can have 256 bytes. Of four times as many records,
 * more calls are full while an endpoint has few of them. More would only raise what a crash sends again.
 *
 * A throttled shard holds up its own endpoints only: the records of others go on in requests of their own.
 */
const GATHERED = {
  by: 'batch',
  records: 2_000,
  bytes: 5 * 2 ** 20 - 500 * 256,
  lanes: { by: 'endpoint', inFlight: 4 },
} as const;

/** CloudEvents are larger than their records. */
const GATHERED_EVENTS = {
  ...GATHERED,
  bytes: GATHERED.bytes - GATHERED.records * CLOUD_EVENT_BYTES,
} as const;

const STREAM_NAME = /^[a-zA-Z0-9_.-]{1,128}$/;

const credentials = Type.Object({
  region: regionField,
  stream_name: Type.String({
    title: 'Stream name',
    description: 'The Kinesis data stream. The role needs kinesis:PutRecords on it.',
    examples: ['simstream-events'],
    minLength: 1,
    maxLength: 128,
  }),
  role_arn: roleArnField,
});

export const awsKinesis = defineDestination({
  connectionType: 'AwsKinesis',
  title: 'Amazon Kinesis',
  summary: 'Puts each record into a Kinesis data stream, in order per endpoint.',
  icon: 'M4 6h16M4 6v4l16 4v4H4M4 12h5M15 12h5M4 18h16',
  setup: awsSetup({
    name: 'stream',
    action: 'kinesis:PutRecords',
    resource: 'arn:aws:kinesis:REGION:ACCOUNT:stream/YOUR-STREAM',
  }),
  formats: ['Json', 'CloudEvents'],
  credentials,
  configure({ region, stream_name: name, role_arn: roleArn }, format) {
    const faults: ConfigurationFault[] = awsFaults(region, roleArn);
    if (!STREAM_NAME.test(name)) {
      const message =
        'is not the name of a Kinesis stream: up to 128 letters, digits, hyphens, underscores and dots';
      faults.push({ path: '/stream_name', message });
    }
    if (faults.length > 0) return faults;
    const role = parseRole(roleArn) as Role;
    const events = format === 'CloudEvents';
    return {
      target: `kinesis://${region}/${name}`,
      identity: `${role.arn} ${region} ${name}`,
      gathering: events ? GATHERED_EVENTS : GATHERED,
      open: async (environment) => {
        const { openKinesis } = await import('./kinesis-delivery.ts');
        return openKinesis(environment, { region, name, role, events });
      },
    };
  },
});
