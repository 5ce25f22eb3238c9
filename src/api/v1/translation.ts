import type { FieldFault } from '../../errors.ts';
import type { DataStreamDocument } from '../../registry/data-stream.ts';
import type { Json } from '../../registry/registry.ts';

/**
 * The first version of emnify's Data Streamer API in terms of the second:
 *
 *   id                    the hexadecimal id as a whole number
 *   api_type              the connection type; 1 is a webhook with one record a request, 6 one with many
 *   api_callback.url      the URL of a webhook
 *   api_parameter         `region/stream` of Kinesis, `region/bucket` of S3, the collection of Keen, the region of Datadog
 *   api_username          the role of AWS, the project of Keen
 *   api_password          the write key of Keen, the API key of Datadog
 *   stream_historic_data  1: from the oldest record that is kept
 */
export interface V1Create {
  readonly data_stream_type: { readonly id: number };
  readonly api_type: { readonly id: number };
  readonly api_callback?: { readonly id?: number; readonly url?: string };
  readonly api_parameter?: string;
  readonly api_username?: string;
  readonly api_password?: string;
  readonly stream_historic_data?: number;
}

interface ApiType {
  readonly id: number;
  readonly description: string;
  readonly connectionType: string;
  credentials(body: V1Create): { readonly [name: string]: Json | undefined };
}

const region = ({ api_parameter = '' }: V1Create) => api_parameter.split('/')[0];
const behindRegion = ({ api_parameter = '' }: V1Create) => api_parameter.split('/').slice(1).join('/');

export const API_TYPES: readonly ApiType[] = [
  {
    id: 1,
    description: 'RestAPI',
    connectionType: 'RestAPI',
    credentials: ({ api_callback }) => ({ url: api_callback?.url, size: 1 }),
  },
  {
    id: 2,
    description: 'keen.io',
    connectionType: 'KeenIO',
    credentials: ({ api_username, api_password, api_parameter }) => ({
      project_id: api_username,
      write_key: api_password,
      collection_name: api_parameter,
    }),
  },
  {
    id: 3,
    description: 'DataDog',
    connectionType: 'Datadog',
    credentials: ({ api_password, api_parameter }) => ({
      api_key: api_password,
      region: api_parameter || undefined,
    }),
  },
  {
    id: 4,
    description: 'AWS Kinesis',
    connectionType: 'AwsKinesis',
    credentials: (body) => ({
      region: region(body),
      stream_name: behindRegion(body),
      role_arn: body.api_username,
    }),
  },
  {
    id: 6,
    description: 'RestAPI (Bulk)',
    connectionType: 'RestAPI',
    credentials: ({ api_callback }) => ({ url: api_callback?.url }),
  },
  {
    id: 8,
    description: 'AWS S3',
    connectionType: 'S3',
    credentials: (body) => ({
      region: region(body),
      bucket_name: behindRegion(body),
      role_arn: body.api_username,
    }),
  },
];

/** The member of the first version that a field of the second comes from. */
const SOURCES: readonly (readonly [path: string, source: string])[] = [
  ['/destination/credentials/url', '/api_callback/url'],
  ['/destination/credentials/role_arn', '/api_username'],
  ['/destination/credentials/project_id', '/api_username'],
  ['/destination/credentials/write_key', '/api_password'],
  ['/destination/credentials/api_key', '/api_password'],
  ['/destination/credentials/collection_name', '/api_parameter'],
  ['/destination/credentials/region', '/api_parameter'],
  ['/destination/credentials/stream_name', '/api_parameter'],
  ['/destination/credentials/bucket_name', '/api_parameter'],
];

/** A text about fields of the second version, with the names of the first. */
export function inNamesOfV1(text: string): string {
  return SOURCES.reduce((before, [path, source]) => before.replaceAll(path, source), text);
}

/** The types for which a member has a meaning: an unused password must not look like a used one. */
const MEANINGFUL = { api_parameter: [2, 3, 4, 8], api_username: [2, 4, 8], api_password: [2, 3] };

/** The requests that the second version cannot express. */
export function faultsOfV1({ data_stream_type, api_type, api_callback, ...given }: V1Create): FieldFault[] {
  const { api_parameter } = given;
  const faults: FieldFault[] = [];
  const fault = (path: string, message: string) => faults.push({ token: 'NotAllowed', path, message });
  if (data_stream_type.id === 3)
    fault(
      '/data_stream_type/id',
      'streams of usage and events together are not supported: create one of each',
    );
  const type = API_TYPES.find(({ id }) => id === api_type.id);
  if (!type)
    fault(
      '/api_type/id',
      `must be one of ${API_TYPES.map(({ id, description }) => `${id} ${description}`).join(', ')}`,
    );
  for (const [member, types] of Object.entries(MEANINGFUL)) {
    if (!type || !given[member as keyof typeof MEANINGFUL] || types.includes(type.id)) continue;
    fault(`/${member}`, `has no meaning for ${type.description}`);
  }
  if (type?.connectionType === 'RestAPI' && api_callback?.url === undefined)
    fault('/api_callback', 'must have a url: callbacks with an id of their own are not supported');
  if ([4, 8].includes(api_type.id) && !/^[^/]+\/.+/.test(api_parameter ?? ''))
    fault('/api_parameter', 'must be a region and a name with a slash between them, e.g. eu-west-1/records');
  return faults;
}

/** The same data stream as a body of the second version. */
export function toV2(body: V1Create) {
  const type = API_TYPES.find(({ id }) => id === body.api_type.id) as ApiType;
  const given = Object.entries(type.credentials(body)).filter(([, value]) => value !== undefined);
  return {
    data_stream_type: { id: body.data_stream_type.id },
    destination: { connection_type: type.connectionType, credentials: Object.fromEntries(given) },
    ...(body.stream_historic_data === 1 ? { start_from: 'earliest' } : {}),
  };
}

/** @returns the number of an id of 8 hexadecimal digits */
export const idOfV1 = (id: string): number => Number.parseInt(id, 16);
export const idOfV2 = (id: number): string => id.toString(16).padStart(8, '0');

/** The destination of a stream in the first version; secrets are masked. */
export function destinationOfV1({ connectionType, maskedCredentials }: DataStreamDocument) {
  const credentials = maskedCredentials as { readonly [name: string]: string | number | undefined };
  const type = API_TYPES.find(
    ({ id, connectionType: each }) => each === connectionType && (id !== 1 || credentials.size === 1),
  );
  const { region: where, stream_name, bucket_name, collection_name } = credentials;
  const name = stream_name ?? bucket_name;
  return {
    // Later connection types have no number.
    api_type: { id: type?.id ?? 0, description: type?.description ?? connectionType },
    api_callback: credentials.url === undefined ? null : { url: String(credentials.url) },
    api_parameter: (name === undefined ? (collection_name ?? where) : `${where}/${name}`) ?? null,
    api_username: credentials.role_arn ?? credentials.project_id ?? null,
  };
}

/** The event types that filters name; undefined: they say something that the first version has no form for. */
export function eventTypesOf(filters: readonly Json[]): readonly number[] | undefined {
  if (filters.length === 0) return [];
  const [filter, ...others] = filters as readonly { readonly [name: string]: Json }[];
  if (!filter || others.length > 0 || filter.field !== 'event_type_id') return undefined;
  if (filter.op !== undefined && filter.op !== 'in' && filter.op !== 'eq') return undefined;
  return [filter.value].flat().map(Number);
}
