import { Type } from 'typebox';
import { type ConfigurationFault, defineDestination } from '../contract.ts';

/** base64 grows by a third, and each message has up to 300 bytes beside its data: a batch without keys is one request. */
const GATHERED = { by: 'batch', records: 1_000, bytes: 7_000_000 } as const;
/** With keys there are as many requests as endpoints: the more records, the more of them share one. */
const GATHERED_BY_KEY = {
  ...GATHERED,
  records: 5_000,
  lanes: { by: 'endpoint', inFlight: 2 },
} as const;

/** The id of a project, perhaps of a domain (`example.com:project`), or its number. */
const PROJECT = /^(?:(?:[a-z0-9-]+\.)+[a-z]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$|^[1-9][0-9]{5,19}$/;
const TOPIC = /^(?!goog)[A-Za-z][A-Za-z0-9._~+%-]{2,254}$/;

const credentials = Type.Object({
  cps_project: Type.String({
    title: 'Project',
    description: 'The id of the Google Cloud project of the topic.',
    minLength: 1,
    maxLength: 200,
    examples: ['iot-records'],
  }),
  cps_topic: Type.String({
    title: 'Topic',
    description:
      'The id of the topic. simstream’s service account needs the roles roles/pubsub.publisher and roles/pubsub.viewer on it, and the label simstream_organisation must name your organisation.',
    minLength: 1,
    maxLength: 255,
    examples: ['usage'],
  }),
  ordering_key: Type.Enum(['none', 'endpoint_id'], {
    title: 'Ordering key',
    description:
      'none: messages have no order. endpoint_id: subscriptions with message ordering get those of one endpoint in order.',
    default: 'none',
  }),
});

export const pubSub = defineDestination({
  connectionType: 'PubSub',
  title: 'Google Cloud Pub/Sub',
  summary: 'Publishes each record as a message to a topic.',
  icon: 'M12 4.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM6 14.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM18 14.5a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM11 8.3l-4 6.4M13 8.3l4 6.4M8 16.5h8',
  setup: [
    { text: 'In Google Cloud, create a topic in your project.' },
    {
      text: 'On the topic, add this label. It names your organisation as the owner of the topic.',
      copy: { label: 'Label', text: 'simstream_organisation: {aws_external_id}' },
    },
    {
      text: 'On the topic, add this service account as a principal with the roles **Pub/Sub Publisher** and **Pub/Sub Viewer**.',
      copy: { label: 'Service account', text: '{google_service_account}' },
    },
    { text: 'Copy the ids of the project and of the topic into the form.' },
  ],
  formats: ['Json', 'CloudEvents'],
  credentials,
  configure({ cps_project: project, cps_topic: topic, ordering_key }, format) {
    const faults: ConfigurationFault[] = [];
    if (!PROJECT.test(project)) {
      const message =
        'is not the id of a project: 6 to 30 lower-case letters, digits and hyphens that begin with a letter and do not end with a hyphen';
      faults.push({ path: '/cps_project', message });
    }
    if (!TOPIC.test(topic)) faults.push({ path: '/cps_topic', message: topicFault(topic) });
    if (faults.length > 0) return faults;
    const ordered = ordering_key === 'endpoint_id';
    const events = format === 'CloudEvents';
    return {
      target: `pubsub://${project}/${topic}`,
      identity: `pubsub:${project}`,
      gathering: ordered ? GATHERED_BY_KEY : GATHERED,
      open: async (environment) => {
        const { openTopic } = await import('./pub-sub-topic.ts');
        return openTopic({ project, topic, ordered, events }, environment);
      },
    };
  },
});

function topicFault(topic: string): string {
  if (topic.startsWith('projects/')) return 'is the full name of a topic: give its last part only';
  if (topic.startsWith('goog')) return 'must not begin with goog: Google keeps these names to itself';
  return 'is not the id of a topic: 3 to 255 letters, digits and - _ . ~ + %, a letter first';
}
