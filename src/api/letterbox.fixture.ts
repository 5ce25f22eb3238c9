import { Type } from 'typebox';
import { type Configured, defineDestination } from '../destinations/contract.ts';
import { maskUrl } from '../destinations/url-secrets.ts';

/** A webhook of sorts: one field of each kind of secret. */
const letterbox = defineDestination({
  connectionType: 'Letterbox',
  title: 'Letter box',
  summary: 'For tests.',
  icon: 'M4 4h16',
  setup: [{ text: 'Do it.' }],
  formats: ['Json'],
  credentials: Type.Object({
    url: Type.String({
      title: 'URL',
      minLength: 1,
      examples: ['https://box.example/in'],
      'x-secret': 'url',
    }),
    key: Type.Optional(Type.String({ title: 'Key', minLength: 4, 'x-secret': 'all' })),
    headers: Type.Optional(Type.Array(Type.String(), { title: 'Headers', 'x-secret': 'headers' })),
    size: Type.Integer({ title: 'Size', minimum: 1, maximum: 10_000, default: 3000 }),
  }),
  configure({ url }) {
    if (!URL.canParse(url as string)) return [{ path: '/url', message: 'is not a URL' }];
    return configuredAt(new URL(url as string));
  },
});

const bucket = defineDestination({
  connectionType: 'Bucket',
  title: 'Test bucket',
  summary: 'For tests.',
  icon: 'M4 4h16',
  setup: [{ text: 'Do it.' }],
  formats: ['Csv', 'Json'],
  credentials: Type.Object({
    name: Type.String({ title: 'Name', minLength: 1 }),
    key: Type.Optional(Type.String({ title: 'Key', 'x-secret': 'all' })),
  }),
  configure({ name }) {
    const url = `https://${name}.bucket.example/`;
    return URL.canParse(url)
      ? configuredAt(new URL(url))
      : [{ path: '/name', message: 'is not a host name' }];
  },
});

/** The connection types of the tests, which connect to nothing. */
export const TEST_TYPES = new Map([letterbox, bucket].map((type) => [type.connectionType, type]));

function configuredAt(url: URL): Configured {
  return {
    target: maskUrl(`${url.origin}${url.pathname}`),
    identity: url.origin,
    address: url.href,
    gathering: { by: 'batch', records: 100, bytes: 1000 },
    open: () => Promise.reject(new Error('nothing is opened here')),
  };
}
