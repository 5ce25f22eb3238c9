import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { destinationTypes } from '../destinations/all.ts';
import { configureDestination } from '../destinations/configure.ts';
import { type ApiFixture, OPERATOR_TOKEN, STREAM, setUpApi } from './api.fixture.ts';
import type { Route } from './route.ts';

/** Every example of the document is accepted by what it is an example of: so what the page of the API fills in works. */

let api: ApiFixture;
// biome-ignore lint/suspicious/noExplicitAny: a document is JSON of many forms
let document: any;
before(async () => {
  api = await setUpApi({ destinationTypes, mostStreams: 1000 });
  document = (await api.call('GET', '/api/openapi.json', { token: '' })).body;
});
after(() => api.close());

const WEBHOOK = {
  ...STREAM,
  destination: { connection_type: 'RestAPI', credentials: { url: 'https://example.com/before' } },
};

let users = 0;

/** Of credentials and codes nobody can give an example that is good: the statuses that such examples get. */
const OF_NOBODY: Readonly<Record<string, number>> = {
  Authenticate: 401,
  PatchMyUser: 401,
  CreateMfaKey: 401,
  ActivateMfaKey: 404,
  DeleteMyMfaKey: 404,
};

/** A path whose ids exist, for each route with a body. */
async function pathFor({ path, operationId }: Route): Promise<string> {
  if (path.includes(':replay_id')) {
    const id = await api.create(WEBHOOK);
    const made = await api.call('POST', `/api/v2/data_stream/${id}/replay`, { body: { from: 'earliest' } });
    return String(made.headers.location);
  }
  if (path.startsWith('/api/v2/data_stream/:id')) return path.replace(':id', await api.create(WEBHOOK));
  if (path.startsWith('/operator/')) {
    const own = '/operator/v1/organisations/1';
    const username = `${operationId}${++users}`;
    await api.call('POST', `${own}/users`, { token: OPERATOR_TOKEN, body: { username, password: 'p' } });
    const { body } = await api.call('POST', `${own}/application_tokens`, {
      token: OPERATOR_TOKEN,
    });
    return path.replace(':id', '1').replace(':username', username).replace(':token_id', String(body.id));
  }
  if (path.includes(':user_id')) {
    const username = `${operationId}${++users}`;
    await api.call('POST', '/operator/v1/organisations/1/users', {
      token: OPERATOR_TOKEN,
      body: { username, password: 'p' },
    });
    return path.replace(':user_id', username);
  }
  if (!path.includes(':id')) return path;
  const { body } = await api.call('POST', '/api/v1/application_token');
  return path.replace(':id', String(body.id));
}

/** The example with the id of a stream that exists. */
async function withIds(value: object): Promise<object> {
  return 'continue_from' in value ? { ...value, continue_from: await api.create(WEBHOOK) } : value;
}

describe('named examples', () => {
  test('each call with a body has some, and each is accepted', async () => {
    for (const route of api.routes.filter(({ body }) => body)) {
      const examples = Object.entries(route.bodyExamples ?? {});
      assert.ok(examples.length > 0, `${route.operationId} has no example`);
      for (const [name, { value }] of examples) {
        const token = route.access === 'operator' ? OPERATOR_TOKEN : 'ada';
        const path = await pathFor(route);
        const body = await withIds(value as object);
        const { status, text } = await api.call(route.method, path, { token, body });
        const refusal = OF_NOBODY[route.operationId];
        const expected = refusal === undefined ? status < 300 : status === refusal;
        assert.ok(expected, `${route.operationId}, ${name}: ${status} ${text}`);
      }
    }
  });

  test('there is one of each connection type, and the page begins with the webhook', () => {
    for (const path of ['/api/v2/data_stream', '/api/v2/data_stream/test', '/api/v2/data_stream/preview']) {
      const { examples } = document.paths[path].post.requestBody.content['application/json'];
      const names = Object.keys(examples);
      assert.equal(names[0], 'RestAPI');
      for (const type of destinationTypes.keys()) assert.ok(names.includes(type), type);
      assert.ok(names.filter((name) => name.startsWith('Filter: ')).length >= 5);
    }
    const { examples } =
      document.paths['/api/v2/data_stream/{id}'].patch.requestBody.content['application/json'];
    for (const name of ['Pause', 'Resume', 'Erase the filters', 'Repoint']) assert.ok(examples[name], name);
  });
});

test('every example in a schema satisfies it', () => {
  const ajv = new Ajv2020.default({ strict: false, validateFormats: true });
  (addFormats as unknown as (target: unknown) => void)(ajv);
  for (const format of ['int64', 'uint64']) ajv.addFormat(format, true);
  ajv.addSchema({ $id: 'document', components: document.components });
  let checked = 0;
  const walk = (value: unknown, path: string): void => {
    if (typeof value !== 'object' || value === null) return;
    const { examples, ...rest } = value as { examples?: unknown };
    if (Array.isArray(examples)) {
      const schema = JSON.parse(JSON.stringify(rest).replaceAll('"#/components', '"document#/components'));
      const validate = ajv.compile(schema);
      for (const example of examples) {
        checked++;
        assert.ok(
          validate(example),
          `${path}: ${JSON.stringify(example)} ${ajv.errorsText(validate.errors)}`,
        );
      }
    }
    for (const [name, inner] of Object.entries(value)) {
      // Named examples are values and no schemas.
      if (name !== 'examples') walk(inner, `${path}/${name}`);
    }
  };
  walk(document, '');
  assert.ok(checked > 30, `${checked} examples`);
});

test('named examples satisfy the schema of the document', () => {
  const ajv = new Ajv2020.default({ strict: false });
  (addFormats as unknown as (target: unknown) => void)(ajv);
  for (const format of ['int64', 'uint64']) ajv.addFormat(format, true);
  ajv.addSchema({ $id: 'document', components: document.components });
  for (const [path, methods] of Object.entries<Record<string, never>>(document.paths)) {
    for (const operation of Object.values<{ requestBody?: { content: Record<string, never> } }>(methods)) {
      for (const { schema, examples } of Object.values<{ schema: object; examples?: object }>(
        operation.requestBody?.content ?? {},
      )) {
        const validate = ajv.compile(
          JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"document#/components')),
        );
        for (const [name, { value }] of Object.entries<{ value: unknown }>({ ...examples })) {
          assert.ok(validate(value), `${path}, ${name}: ${ajv.errorsText(validate.errors)}`);
        }
      }
    }
  }
});

for (const type of destinationTypes.values()) {
  test(`every example of a field of ${type.connectionType} can be used`, () => {
    const properties = type.credentials.properties as Record<
      string,
      { default?: unknown; examples?: unknown[] }
    >;
    const whole = Object.fromEntries(
      Object.entries(properties).flatMap(([field, { examples }]) =>
        examples?.length ? [[field, examples[0]]] : [],
      ),
    );
    for (const [field, { examples = [] }] of Object.entries(properties)) {
      for (const example of examples) {
        const result = configureDestination(type, { ...whole, [field]: example });
        assert.equal(result.type, 'configured', `${field}: ${JSON.stringify(result)}`);
      }
    }
  });
}
