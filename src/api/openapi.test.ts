import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { ApiError, ERRORS } from '../errors.ts';
import { type ApiFixture, type CallOptions, OPERATOR_TOKEN, setUpApi } from './api.fixture.ts';
import { errorsOf } from './openapi.ts';
import { createValidator } from './validation.ts';

/** What emnify's published document says: path, method, operation, status of success. */
const EMNIFY: readonly [string, string, string, string][] = [
  ['/api/v2/data_stream', 'get', 'ListDataStreamerV2s', '200'],
  ['/api/v2/data_stream', 'post', 'CreateDataStreamer', '201'],
  ['/api/v2/data_stream/{id}', 'get', 'GetDataStreamerByIdV2', '200'],
  ['/api/v2/data_stream/{id}', 'patch', 'PatchV2DataStream', '202'],
  ['/api/v2/data_stream/{id}', 'delete', 'DeleteDataStreamerV2', '202'],
  ['/api/v2/data_stream/{id}/restart', 'post', 'DataStreamerV2ByIdRestart', '202'],
  ['/api/v2/data_stream/status', 'get', 'GetDataStreamerStatuses', '200'],
  ['/api/v2/data_stream/type', 'get', 'GetDataStreamerDataStreamType', '200'],
  ['/api/v2/data_stream/filter_field_type', 'get', 'GetDataStreamerEnumFilterFieldType', '200'],
];

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly object[];
  readonly responses: Readonly<Record<string, { description: string; content?: object }>>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, { required?: string[]; properties?: object }>>;
  };
}

let api: ApiFixture;
let document: Document;
before(async () => {
  api = await setUpApi();
  document = (await api.call('GET', '/api/openapi.json', { token: '' })).body;
});
after(() => api.close());

const operations = () =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(document as unknown as Record<string, unknown>);
    assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
    assert.equal(document.openapi, '3.1.0');
  });

  test('has every route of the table, each with its own name', () => {
    const listed = operations().map(({ path, method }) => `${method} ${path}`);
    for (const { method, path } of api.routes) {
      assert.ok(listed.includes(`${method.toLowerCase()} ${path.replace(/:(\w+)/g, '{$1}')}`), path);
    }
    const names = operations().map(({ operation }) => operation.operationId);
    assert.equal(new Set(names).size, names.length);
  });

  test("has emnify's operations under emnify's names", () => {
    for (const [path, method, operationId, status] of EMNIFY) {
      const operation = document.paths[path]?.[method];
      assert.equal(operation?.operationId, operationId);
      const answer = operation.responses[status];
      assert.ok(answer, `${operationId} ${status}`);
      assert.equal(answer.content !== undefined, status === '200', operationId);
    }
  });

  test('names the credentials of each connection type; what has a default may be left out', () => {
    const { LetterboxCredentials, BucketCredentials, Destination } = document.components.schemas;
    assert.deepEqual(LetterboxCredentials?.required, ['url']);
    assert.deepEqual(BucketCredentials?.required, ['name']);
    const { credentials } = (Destination?.properties ?? {}) as { credentials?: { anyOf: object[] } };
    assert.deepEqual(
      credentials?.anyOf,
      ['Letterbox', 'Bucket'].map((name) => ({ $ref: `#/components/schemas/${name}Credentials` })),
    );
  });

  test('keeps its own keywords to itself', () => {
    assert.doesNotMatch(JSON.stringify(document), /x-component|x-any-of/);
  });

  test('says who may call what', () => {
    for (const route of api.routes) {
      const { security } =
        document.paths[route.path.replace(/:(\w+)/g, '{$1}')]?.[route.method.toLowerCase()] ?? {};
      const scheme = {
        public: [],
        operator: [{ operator: [] }],
        read: [{ customer: [] }],
        write: [{ customer: [] }],
        administer: [{ customer: [] }],
      };
      assert.deepEqual(security, scheme[route.access], route.operationId);
    }
  });

  test('a call of data streams says that it is limited, and one of a single data stream that it may not be found', () => {
    const paths = Object.keys(document.paths).filter((path) => path.startsWith('/api/v2/data_stream'));
    assert.ok(paths.length >= 15, paths.join());
    for (const path of paths) {
      for (const { operationId, responses } of Object.values(document.paths[path] ?? {})) {
        assert.ok(responses[429], operationId);
        if (path.includes('{id}')) assert.match(responses[404]?.description ?? '', /1201/, operationId);
      }
    }
  });

  test('every error that an operation can answer with is there, with its code', () => {
    for (const route of api.routes) {
      const operation = document.paths[route.path.replace(/:(\w+)/g, '{$1}')]?.[route.method.toLowerCase()];
      for (const token of errorsOf(route)) {
        const { status, code } = ERRORS[token];
        assert.match(
          operation?.responses[status]?.description ?? '',
          new RegExp(`${code} ${token}`),
          route.operationId,
        );
      }
    }
  });
});

describe('every status that a route answers with is documented', () => {
  /** Ways to call a route wrongly; the answers are compared with the document by the fixture. */
  const WRONG: readonly { readonly what: string; readonly options: CallOptions; readonly query?: string }[] =
    [
      { what: 'no token', options: { token: '' } },
      { what: 'the token of an observer', options: { token: 'otto' } },
      { what: 'a broken body', options: { body: '{"a": 1, // comment' } },
      { what: 'a body that is a list', options: { body: [] } },
      { what: 'an empty object', options: { body: {} } },
      { what: 'numbers everywhere', options: { body: { name: 1, description: 1, status: 1, filters: 1 } } },
      { what: 'a body that is too large', options: { body: `"${'x'.repeat(2 ** 20)}"` } },
      { what: 'a body of another type', options: { body: 'a', headers: { 'content-type': 'text/csv' } } },
      { what: 'a malformed type', options: { body: 'a', headers: { 'content-type': ';' } } },
      {
        what: 'a malformed query',
        options: {},
        query: '?page=x&per_page=0&limit=x&after=x&at=x&invalid=x&from=x',
      },
    ];
  const WITH_ANY_ID = WRONG.filter(({ what }) => what === 'an empty object');
  /** The first two may be the id of something: of a data stream, and where ids are whole numbers. */
  const IDS = ['00000000', '7', 'zz', '1e3', '999999999999999999999', '%20'];

  test('however a call is made', async () => {
    const own = await setUpApi();
    for (const { method, path, access } of own.routes) {
      const ids = path.includes(':') ? IDS : [''];
      for (const [index, id] of ids.entries()) {
        const url = path.replace(/:\w+/g, id);
        // What is wrong beside the id is found whatever the id is, or not at all.
        for (const { options, query = '' } of index < 2 ? WRONG : WITH_ANY_ID) {
          const token = access === 'operator' && options.token === undefined ? OPERATOR_TOKEN : undefined;
          const { status } = await own.call(method, url + query, {
            ...options,
            ...(token === undefined ? {} : { token }),
          });
          assert.notEqual(status, 405, `${method} ${url}`);
        }
      }
    }
    await own.close();
  });

  test('another method is refused, and told which are possible', async () => {
    const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
    for (const path of new Set(api.routes.map((route) => route.path))) {
      const served = api.routes.filter((route) => route.path === path).map((route) => route.method as string);
      for (const method of methods.filter((each) => !served.includes(each))) {
        const { status, headers, body } = await api.call(method, path.replace(/:\w+/g, 'abcdef12'), {
          token: '',
          body: '{"broken',
        });
        assert.deepEqual([status, body.error_code], [405, 9005], `${method} ${path}`);
        const allow = String(headers.allow).split(', ');
        assert.deepEqual(
          allow.filter((each) => each !== 'OPTIONS' && each !== 'HEAD').sort(),
          [...served].sort(),
          path,
        );
      }
    }
  });
});

test('every schema of the table compiles: a node does so only when the route is first called', () => {
  for (const { operationId, params, query, body } of api.routes) {
    for (const [schema, from] of [
      [params, 'text'],
      [query, 'text'],
      [body, 'body'],
    ] as const) {
      if (!schema) continue;
      const validate = createValidator(schema, from);
      try {
        validate({});
      } catch (error) {
        assert.ok(error instanceof ApiError, `${operationId}: ${error}`);
      }
    }
  }
});
