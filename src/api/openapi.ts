import type { TObject, TSchema } from 'typebox';
import { ERRORS, type ErrorToken } from '../errors.ts';
import { Components } from './openapi-components.ts';
import { EXAMPLE_RECEIVER, type Route, type RouteResponse } from './route.ts';

/** The OpenAPI 3.1 document of a route table. */
interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: object;
  readonly servers: readonly object[];
  readonly tags: readonly object[];
  readonly paths: { readonly [path: string]: { readonly [method: string]: object } };
  readonly components: object;
}

const DESCRIPTION = `simstream delivers usage records and events of cellular IoT devices to destinations of your own.

Get an auth token at \`POST /api/v1/authenticate\` and send it with every call: \`Authorization: Bearer <auth_token>\`.
The organisation is that of the token. Times are UTC. Members that are null count as not given unless the call says otherwise. Members
of a body that a call does not know are ignored, unless the name is nearly that of one it knows; unknown parameters of a query are
refused. Later versions only add: calls, members and values.

An error has a body \`{error_code, error_token, message, errors?}\`. Where several fields are wrong, \`errors\` has one
entry for each, with the \`path\` of the field in the body.`;

const SECURITY_SCHEMES = {
  customer: { type: 'http', scheme: 'bearer', description: 'An auth token from /api/v1/authenticate.' },
  operator: { type: 'http', scheme: 'bearer', description: 'The operator token of the installation.' },
};

const ERROR_SCHEMA = {
  type: 'object',
  required: ['error_code', 'error_token', 'message'],
  properties: {
    error_code: { type: 'integer', examples: [1402] },
    error_token: { type: 'string', examples: ['Required'] },
    message: { type: 'string', description: 'For people: the fault, its place, and the next step.' },
    errors: {
      type: 'array',
      description: 'One entry per fault; `path` is a JSON pointer into the body or the name of a parameter.',
      items: {
        type: 'object',
        properties: {
          error_code: { type: 'integer' },
          error_token: { type: 'string' },
          message: { type: 'string' },
          path: { type: 'string', examples: ['/destination/credentials/url'] },
        },
      },
    },
  },
};

/** @param receiver a webhook that takes the place of EXAMPLE_RECEIVER */
export function buildOpenApi(
  routes: readonly Route[],
  version: string,
  receiver = EXAMPLE_RECEIVER,
): OpenApiDocument {
  const document = JSON.stringify(describe(routes, version));
  return JSON.parse(document.replaceAll(EXAMPLE_RECEIVER, receiver)) as OpenApiDocument;
}

function describe(routes: readonly Route[], version: string): OpenApiDocument {
  const components = new Components();
  const paths: Record<string, Record<string, object>> = {};
  const tags = new Set<string>();
  for (const route of routes) {
    if (route.documented === false) continue;
    for (const tag of route.tags) tags.add(tag);
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, components) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'simstream',
      version,
      description: DESCRIPTION,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: [...tags].map((name) => ({ name })),
    paths,
    components: {
      schemas: { ...components.schemas, Error: ERROR_SCHEMA },
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}

function operation(route: Route, components: Components): object {
  const parameters = [
    ...parametersOf(route.params, 'path', components),
    ...parametersOf(route.query, 'query', components),
    ...(route.ifMatch ? [IF_MATCH] : []),
  ];
  const body = requestBody(route, components);
  return {
    operationId: route.operationId,
    tags: route.tags,
    summary: route.summary,
    ...(route.description ? { description: route.description } : {}),
    security:
      route.access === 'public' ? [] : [{ [route.access === 'operator' ? 'operator' : 'customer']: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: body } : {}),
    responses: { ...successes(route, components), ...failures(route) },
  };
}

function parametersOf(
  schema: TObject | undefined,
  place: 'path' | 'query',
  components: Components,
): object[] {
  if (!schema) return [];
  const required = new Set<string>((schema.required as string[] | undefined) ?? []);
  return Object.entries(schema.properties).map(([name, property]) => {
    const { description, ...rest } = components.translate(property) as { description?: string };
    return {
      name,
      in: place,
      required: place === 'path' || required.has(name),
      ...(description ? { description } : {}),
      schema: rest,
    };
  });
}

function requestBody(route: Route, components: Components): object | undefined {
  const { body, bodyExamples, bodyOptional, streamBody } = route;
  if (streamBody) {
    const content = Object.fromEntries(
      Object.entries(streamBody.contentTypes).map(([type, { schema, examples }]) => [
        type,
        { schema: components.translate(schema), ...(examples ? { examples } : {}) },
      ]),
    );
    const { description } = streamBody;
    return { required: true, ...(description ? { description } : {}), content };
  }
  if (!body) return undefined;
  const json = { schema: components.translate(body), ...(bodyExamples ? { examples: bodyExamples } : {}) };
  return { required: !bodyOptional, content: { 'application/json': json } };
}

function successes(route: Route, components: Components): Record<string, object> {
  const entries = Object.entries(route.responses).map(([status, response]) => [
    status,
    success(response, components),
  ]);
  return Object.fromEntries(entries) as Record<string, object>;
}

function success(
  { description, schema, contentType, texts = [], headers }: RouteResponse,
  components: Components,
): object {
  const described = Object.entries(headers ?? {}).map(([name, text]) => [
    name,
    { description: text, schema: { type: 'string' } },
  ]);
  return {
    description,
    ...(headers ? { headers: Object.fromEntries(described) } : {}),
    ...(schema
      ? {
          content: {
            [contentType ?? 'application/json']: { schema: components.translate(schema) },
            ...Object.fromEntries(texts.map((type) => [type, { schema: { type: 'string' } }])),
          },
        }
      : {}),
  };
}

/** Errors by status; a status lists all tokens that it may carry on this call. */
function failures(route: Route): Record<string, object> {
  const byStatus = new Map<number, Set<ErrorToken>>();
  for (const token of errorsOf(route)) {
    const { status } = ERRORS[token];
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(token));
  }
  const responses: Record<string, object> = {};
  for (const [status, tokens] of [...byStatus].sort(([a], [b]) => a - b)) {
    const lines = [...tokens].map((token) => `${ERRORS[token].code} ${token}: ${ERRORS[token].message}`);
    responses[status] = {
      description: lines.join('\n\n'),
      ...(status === 429 || status === 503 ? { headers: RETRY_AFTER } : {}),
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
    };
  }
  return responses;
}

const RETRY_AFTER = { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer' } } };

const IF_MATCH = {
  name: 'If-Match',
  in: 'header',
  required: false,
  description:
    'The `ETag` of an earlier answer: the change is made only if nobody has changed the data stream since. Without it the last change wins.',
  schema: { type: 'string' },
};

/** Errors of every request, then those that follow from access, parameters and body, then those of the route. */
export function errorsOf(route: Route): Set<ErrorToken> {
  const tokens = new Set<ErrorToken>();
  const add = (...more: ErrorToken[]) => {
    for (const token of more) tokens.add(token);
  };
  add('BadRequest', 'TooManyRequests');
  // Without a token nothing is read from the storage, except at a login.
  if (route.access !== 'public' || route.body) add('Busy');
  // A body that is too large is not read, even on calls without a body.
  if (route.method !== 'GET') add('PayloadTooLarge', 'UnsupportedMediaType');
  if (route.access === 'operator') add('InvalidToken');
  if (route.access !== 'operator' && route.access !== 'public') {
    add('InvalidToken', 'TokenExpired', 'Forbidden');
  }
  if (route.ifMatch) add('PreconditionFailed');
  if (!route.anyQuery) add('InvalidQueryCriteria');
  if ([route.query, route.params].some((schema) => schema && hasConstraints(schema))) {
    add('InvalidFormat', 'OutOfRange');
  }
  if (route.body) {
    add('InputValidationFailed', 'Required', 'InvalidFormat', 'OutOfRange');
  }
  add(...(route.errors ?? []), 'Internal');
  return tokens;
}

function hasConstraints(schema: TObject): boolean {
  return Object.values(schema.properties as Record<string, TSchema & { type?: string }>).some(
    (property) =>
      property.type !== 'string' ||
      ['pattern', 'format', 'maxLength', 'minLength'].some((name) => name in property),
  );
}
