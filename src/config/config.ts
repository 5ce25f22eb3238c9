import {
  addressList,
  boolean,
  choice,
  cidrList,
  directory,
  duration,
  grantList,
  host,
  type Kind,
  secret,
  secretText,
  secretUrl,
  text,
  urlList,
  wholeNumber,
} from './settings.ts';
import { plainAddress, type SourceAddress, sourceList } from './source-addresses.ts';

/** The configuration of a node; see SETTINGS for each value's meaning. */
export interface Config {
  readonly host: string;
  readonly port: number;
  /** The address of the operator's side; undefined: together with the customers' side. */
  readonly operatorPort: number | undefined;
  /** Undefined: same as `host`. */
  readonly operatorHost: string | undefined;
  /** Each `address/prefix`: proxies whose X-Forwarded-For and Forwarded headers count. */
  readonly trustProxy: readonly string[];
  /** Per source address in five minutes; 0: no limit. */
  readonly rateLogins: number;
  readonly rateRequests: number;
  readonly rateAnonymous: number;
  /** Per second; 0: no limit. */
  readonly rateReads: number;
  readonly rateWrites: number;
  readonly ratePortal: number;
  readonly rateWork: number;
  readonly rateTraffic: number;
  /** As written by the user; relative to the working directory. */
  readonly dataDir: string;
  /** NATS servers, `nats://host:port`; empty: embedded storage. */
  readonly natsUrl: readonly string[];
  readonly natsReplicas: number;
  /** A directory; undefined: no mappings. */
  readonly mappings: string | undefined;
  readonly partitions: number;
  /** 32 bytes each. Undefined with embedded storage: generated and kept in the data directory. */
  readonly secret: Buffer | undefined;
  readonly secretPrevious: Buffer | undefined;
  readonly secretLost: boolean;
  readonly operatorToken: string | undefined;
  /** Milliseconds. */
  readonly retention: number;
  /** Milliseconds; undefined: as long as `retention`. */
  readonly quarantineRetention: number | undefined;
  /** Milliseconds. */
  readonly auditRetention: number;
  /** Milliseconds. */
  readonly retryWindow: number;
  /** Each `address/prefix`. */
  readonly allowDestinations: readonly string[];
  readonly verifyDestinations: boolean;
  /** Each `address` or `address:port`; empty: the system's name servers. */
  readonly nameServers: readonly string[];
  /** Whether deliveries obey HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment. */
  readonly egressProxy: 'off' | 'environment';
  /** The number of an AWS account, or the ARN of a role or user. */
  readonly awsPrincipal: string | undefined;
  readonly googleServiceAccount: string | undefined;
  /** Cloud resources and the organisations that may use them without further proof. */
  readonly cloudGrants: readonly { readonly organisation: number | '*'; readonly resource: string }[];
  readonly streamsPerOrganisation: number;
  /** The webhook that is notified about organisations without a receiver of their own. */
  readonly notificationUrl: string | undefined;
  readonly notificationSecret: string | undefined;
  /** Servers of a source; empty: none. */
  readonly sourceNatsUrl: readonly string[];
  readonly sourceNatsSubjects: readonly SourceAddress[];
  readonly sourceNatsRejected: string | undefined;
  readonly sourceMqttUrl: string | undefined;
  readonly sourceMqttTopics: readonly SourceAddress[];
  readonly sourceMqttRejected: string | undefined;
  readonly logLevel: LogLevel;
}

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

interface Setting<Value> {
  /** The reader of the value, and the allowed values. */
  readonly kind: Kind<Value>;
  /** The default in the form in which a user would write it; undefined: unset. */
  readonly default: string | undefined;
  /** Replaces the default in `--help` and the documentation, where the default alone would mislead. */
  readonly defaultNote?: string;
  readonly meaning: string;
}

type Settings = { readonly [Name in keyof Config]: Setting<Config[Name]> };

/** The one table behind parsing, `--help` and docs/configuration.md. Each name makes a variable and a flag, see below. */
export const SETTINGS: Settings = {
  host: {
    kind: host(),
    default: '127.0.0.1',
    meaning: 'Address to listen on; `0.0.0.0` or `::` for all.',
  },
  port: {
    kind: wholeNumber(0, 65_535, 'a port, 0 to 65535 (0: any free one)'),
    default: '8080',
    meaning: 'Port to listen on.',
  },
  operatorPort: {
    kind: wholeNumber(0, 65_535, 'a port, 0 to 65535 (0: any free one)'),
    default: undefined,
    defaultNote: 'unset: all on one address',
    meaning:
      "Port of the operator's side: operator API, metrics, details of readiness. Once set, `SIMSTREAM_PORT` serves customers alone.",
  },
  operatorHost: {
    kind: host(),
    default: undefined,
    defaultNote: 'as `SIMSTREAM_HOST`',
    meaning: "Address of the operator's side, with `SIMSTREAM_OPERATOR_PORT`.",
  },
  trustProxy: {
    kind: cidrList(),
    default: '',
    defaultNote: 'unset: none',
    meaning:
      'Addresses of the reverse proxies in front of the nodes; their `X-Forwarded-For` or `Forwarded` header names the caller. Without this setting all callers behind a proxy share the limits of one caller.',
  },
  rateLogins: {
    kind: wholeNumber(0, 1_000_000, 'a whole number, 0 (no limit) to 1000000'),
    default: '100',
    meaning: 'Logins in five minutes from one address.',
  },
  rateRequests: {
    kind: wholeNumber(0, 1_000_000, 'a whole number, 0 (no limit) to 1000000'),
    default: '0',
    meaning: 'Requests of any kind in five minutes from one address.',
  },
  rateAnonymous: {
    kind: wholeNumber(0, 10_000, 'a whole number, 0 (no limit) to 10000'),
    default: '50',
    meaning:
      'Requests per second without a valid token from one address: pages, documents, logins, unknown paths; 20 seconds of them at once. `/healthz` and `/readyz` are not counted, `/metrics` is counted apart.',
  },
  rateReads: {
    kind: wholeNumber(0, 10_000, 'a whole number, 0 (no limit) to 10000'),
    default: '10',
    meaning:
      "Reading calls per second of an organisation's application tokens; bursts may have twice as many.",
  },
  rateWrites: {
    kind: wholeNumber(0, 10_000, 'a whole number, 0 (no limit) to 10000'),
    default: '10',
    meaning:
      "Changing calls per second of an organisation's application tokens; bursts may have twice as many.",
  },
  ratePortal: {
    kind: wholeNumber(0, 10_000, 'a whole number, 0 (no limit) to 10000'),
    default: '20',
    meaning:
      'Calls per second of one user who has logged in with a password (the portal); bursts may have three times as many.',
  },
  rateWork: {
    kind: wholeNumber(0, 10_000, 'a whole number, 0 (no limit) to 10000'),
    default: '100',
    meaning:
      'Milliseconds per second that a node may be busy with the calls of one organisation, counted for its programs and for its people separately; 20 seconds of it at once.',
  },
  rateTraffic: {
    kind: wholeNumber(0, 10_000_000, 'a whole number, 0 (no limit) to 10000000'),
    default: '4096',
    meaning:
      'KiB per second of requests and answers in the calls of one organisation, counted in the same way.',
  },
  dataDir: {
    kind: directory(),
    default: './data',
    meaning: 'Directory for embedded storage and generated secrets (mode 0600).',
  },
  mappings: {
    kind: directory(),
    default: undefined,
    defaultNote: 'unset: none',
    meaning:
      'Directory with mappings of records of other platforms, files `NAME.mapping.json`. Every node needs the same. They are read at the start.',
  },
  natsUrl: {
    kind: urlList('nats'),
    default: '',
    defaultNote: 'unset',
    meaning: 'If set, storage is distributed, on these NATS servers. If unset, storage is embedded.',
  },
  natsReplicas: {
    kind: wholeNumber(1, 5, 'a whole number, 1 to 5'),
    default: '1',
    meaning: 'Replicas of each NATS stream and bucket; 3 in production.',
  },
  partitions: {
    kind: wholeNumber(1, 1024, 'a whole number, 1 to 1024'),
    default: '16',
    meaning: 'Partitions of the record log; fixed when the log is first created.',
  },
  secret: {
    kind: secret(),
    default: undefined,
    defaultNote: 'generated embedded, required distributed',
    meaning: 'Key for credentials at rest and for signing tokens.',
  },
  secretPrevious: {
    kind: secret(),
    default: undefined,
    meaning: 'The previous `SIMSTREAM_SECRET`, during a rotation.',
  },
  secretLost: {
    kind: boolean(),
    default: 'false',
    meaning:
      'Start although `SIMSTREAM_SECRET` opens none of the stored credentials, because their secret is lost. The owners of the data streams must enter them again.',
  },
  operatorToken: {
    kind: secretText('visible ASCII characters without spaces, at most 512', /^[\x21-\x7e]{1,512}$/),
    default: undefined,
    defaultNote: 'generated, printed once',
    meaning: 'Bearer token of the operator API.',
  },
  retention: {
    kind: duration(1000, 400 * 86_400_000),
    default: '7d',
    meaning: 'How long records are kept.',
  },
  quarantineRetention: {
    kind: duration(1000, 400 * 86_400_000),
    default: undefined,
    defaultNote: 'as `SIMSTREAM_RETENTION`',
    meaning: 'How long quarantined records are kept, from their arrival on.',
  },
  auditRetention: {
    kind: duration(60_000, 4000 * 86_400_000),
    default: '90d',
    meaning: 'How long entries of the audit log are kept.',
  },
  retryWindow: {
    kind: duration(1000, 400 * 86_400_000),
    default: '24h',
    meaning: 'How long deliveries must fail without a break before a stream goes to Error.',
  },
  allowDestinations: {
    kind: cidrList(),
    default: '',
    defaultNote: 'unset; the demo adds loopback',
    meaning:
      'Addresses that destinations may have although they are forbidden by default (loopback, private, link-local …), e.g. `127.0.0.0/8,::1/128`.',
  },
  verifyDestinations: {
    kind: boolean(),
    default: 'true',
    meaning: 'Probe a destination before a stream is created or its destination changed.',
  },
  nameServers: {
    kind: addressList(),
    default: '',
    defaultNote: "the system's",
    meaning: 'Name servers that resolve the host names of destinations.',
  },
  egressProxy: {
    kind: choice(['off', 'environment']),
    default: 'off',
    meaning:
      '`environment`: deliveries go through the proxy of `HTTPS_PROXY` and `HTTP_PROXY`, except to hosts in `NO_PROXY`.',
  },
  awsPrincipal: {
    kind: text(
      'an AWS account number of 12 digits, or an ARN such as `arn:aws:iam::123456789012:role/streams`',
      /^(\d{12}|arn:aws[a-z-]{0,20}:(iam|sts)::\d{12}:[\w+=,.@/:-]{1,512})$/,
    ),
    default: undefined,
    meaning:
      "The identity of simstream in AWS. Customers see it, with their organisation's external id, and name it in the trust policy of their role.",
  },
  googleServiceAccount: {
    kind: text("a service account's e-mail address", /^[\w.-]{1,128}@[\w-]{1,128}(\.[\w-]{1,128}){1,8}$/),
    default: undefined,
    meaning:
      'The identity of simstream in Google Cloud. Customers see it and allow it to publish to their topic.',
  },
  cloudGrants: {
    kind: grantList(),
    default: '',
    defaultNote: 'unset: none',
    meaning:
      "Cloud resources that organisations may use although nothing at the resource names them: roles of simstream's own AWS account, Pub/Sub projects and topics. `*` stands for all organisations.",
  },
  streamsPerOrganisation: {
    kind: wholeNumber(1, 100_000, 'a whole number, 1 to 100000'),
    default: '100',
    meaning: 'Data streams that one organisation may have.',
  },
  notificationUrl: {
    kind: secretUrl('an http or https URL', ['http', 'https']),
    default: undefined,
    meaning: 'A webhook that gets the notifications of all organisations that have no receiver of their own.',
  },
  notificationSecret: {
    kind: secretText(
      '`whsec_` and base64, or 8 to 512 visible ASCII characters',
      /^(?:whsec_[A-Za-z0-9+/]{8,505}={0,2}|(?!whsec_)[\x21-\x7e]{8,512})$/,
    ),
    default: undefined,
    meaning: 'Signs the messages to `SIMSTREAM_NOTIFICATION_URL` as Standard Webhooks describes.',
  },
  sourceNatsUrl: {
    kind: urlList('nats'),
    default: '',
    defaultNote: 'unset',
    meaning: 'NATS servers to fetch records from; may be those of `SIMSTREAM_NATS_URL`.',
  },
  sourceNatsSubjects: {
    kind: sourceList('nats', 'cdr.usage.>'),
    default: '',
    defaultNote: 'unset',
    meaning: 'Subjects of `SIMSTREAM_SOURCE_NATS_URL`, each with the kind of its messages.',
  },
  sourceNatsRejected: {
    kind: plainAddress('nats', 'a subject'),
    default: undefined,
    meaning: 'Subject to which simstream publishes records that cannot be stored.',
  },
  sourceMqttUrl: {
    kind: secretUrl('`mqtt://host:port` or `mqtts://host:port`', ['mqtt', 'mqtts']),
    default: undefined,
    meaning: 'MQTT broker to fetch records from.',
  },
  sourceMqttTopics: {
    kind: sourceList('mqtt', 'platform/events/+'),
    default: '',
    defaultNote: 'unset',
    meaning: 'Topics of `SIMSTREAM_SOURCE_MQTT_URL`, each with the kind of its messages.',
  },
  sourceMqttRejected: {
    kind: plainAddress('mqtt', 'a topic'),
    default: undefined,
    meaning: 'Topic to which simstream publishes records that cannot be stored.',
  },
  logLevel: {
    kind: choice(LOG_LEVELS),
    default: 'info',
    meaning: 'Structured JSON lines on stdout; readable on a terminal.',
  },
};

export type SettingName = keyof Config;
export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

/** dataDir → SIMSTREAM_DATA_DIR */
export function variableOf(name: SettingName): string {
  return `SIMSTREAM_${name.replace(/[A-Z]/g, (capital) => `_${capital}`).toUpperCase()}`;
}

/** dataDir → --data-dir */
export function flagOf(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`;
}

/** The table of docs/configuration.md, in Markdown. */
export function configurationTable(): string {
  const rows = SETTING_NAMES.map((name) => {
    const { kind, default: standard, defaultNote, meaning } = SETTINGS[name];
    const shown = defaultNote ?? (standard === undefined ? 'unset' : `\`${standard}\``);
    return `| \`${variableOf(name)}\` | \`${flagOf(name)}\` | ${shown} | ${kind.allowed} | ${meaning} |`;
  });
  return [
    '| variable | flag | default | allowed | meaning |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
