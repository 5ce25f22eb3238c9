import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { type ApiFixture, OPERATOR_TOKEN, setUpApi } from '../../src/api/api.fixture.ts';
import type { Route } from '../../src/api/route.ts';
import { destinationTypes } from '../../src/destinations/all.ts';
import { seededRandom } from '../../src/lib/manual-clock.fixture.ts';
import { withFormats } from '../../src/lib/schema-errors.ts';
import { type Schema, Values } from './values.ts';

/**
 * Calls of the API that are drawn from its OpenAPI document: good ones, wrong ones and hostile ones. Whatever is sent, the answer
 * has a status that the document has for the call, and a body that satisfies its schema; and it is never simstream's own fault.
 */
interface Call {
  readonly method: Route['method'];
  readonly url: string;
  readonly token: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Finding {
  /** Calls `npm run fuzz -- --seed` needs to find it again. */
  readonly seed: number;
  readonly call: Call;
  readonly status: number;
  readonly text: string;
  readonly problem: string;
}

interface Operation {
  readonly operationId: string;
  readonly security: readonly object[];
  readonly parameters?: readonly { name: string; in: string; required: boolean; schema: Schema }[];
  readonly requestBody?: {
    readonly content: Readonly<
      Record<string, { schema: Schema; examples?: Record<string, { value: unknown }> }>
    >;
  };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, unknown>> }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Cases on one installation; then comes a new one, so that a finding is found again in a moment. */
const CASES_OF_A_SEED = 500;
const ALL_TOKENS = ['ada', 'uwe', 'otto', 'apo', 'bea', OPERATOR_TOKEN, '', 'nobody'];
const CUSTOMERS = ['ada', 'ada', 'uwe', 'otto', 'apo', 'bea'];

/** Makes at least `cases` calls. @param report gets each answer that is wrong */
export async function fuzz(
  { seed, cases }: { readonly seed: number; readonly cases: number },
  report: (finding: Finding) => void,
): Promise<{ readonly calls: number; readonly statuses: Readonly<Record<string, number>> }> {
  const statuses: Record<string, number> = {};
  let calls = 0;
  for (let next = seed; calls < cases; next++) calls += await fuzzSeed(next, statuses, report);
  return { calls, statuses };
}

async function fuzzSeed(
  seed: number,
  statuses: Record<string, number>,
  report: (finding: Finding) => void,
): Promise<number> {
  const api = await setUpApi({ destinationTypes, mostStreams: 40 });
  const document = (await api.call('GET', '/api/openapi.json')).body as Document;
  const validate = createValidation(document);
  const values = new Values(seededRandom(seed), (ref) => lookUp(document, ref));
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );
  const known = await prepare(api);
  try {
    for (let at = 0; at < CASES_OF_A_SEED; at++) {
      const { path, method, operation } = values.one(operations);
      const call = drawCall(
        values,
        { path, method: method.toUpperCase() as Route['method'], operation },
        known,
      );
      const { status, text, headers } = await api.call(call.method, call.url, { ...call, unchecked: true });
      statuses[status] = (statuses[status] ?? 0) + 1;
      const location = String(headers.location ?? '');
      if (location) known.streams.push(location.slice(location.lastIndexOf('/') + 1));
      const logged = api.logged.splice(0).map((fields) => String((fields as { err?: Error }).err?.stack));
      const type = String(headers['content-type'] ?? '');
      const problem =
        logged.join('\n') || validate({ path, method, operation }, call.url, status, type, text);
      if (problem) report({ seed, call, status, text, problem });
    }
  } finally {
    await api.close();
  }
  return CASES_OF_A_SEED;
}

interface Known {
  readonly streams: string[];
  readonly records: readonly string[];
}

/** Something of everything, so that calls find what they name. */
async function prepare(api: ApiFixture): Promise<Known> {
  const examples =
    api.routes.find(({ operationId }) => operationId === 'CreateDataStreamer')?.bodyExamples ?? {};
  const streams: string[] = [];
  for (const { value } of Object.values(examples)) {
    // Only a stream that exists can be taken over.
    if ('continue_from' in (value as object)) continue;
    streams.push(await api.create(value as object));
  }
  const place = '0000000000000001-00000001';
  const record = { kind: 'event', at: 0, arrivedAt: 0, code: 'http_400', message: 'No.', record: '{"id":1}' };
  for (const id of streams.slice(0, 2)) {
    await api.progress(id);
    await api.registry.put(`quarantine.1.${id}.${place}`, record);
  }
  await api.call('POST', '/api/v1/application_token', { body: {} });
  return { streams, records: [place] };
}

function drawCall(
  values: Values,
  { path, method, operation }: { path: string; method: Route['method']; operation: Operation },
  known: Known,
): Call {
  // A third of the calls are meant to be good, a third to be nearly good, a third to be anything.
  const wild = values.one([0, 0.05, 0.4]);
  const parameters = operation.parameters ?? [];
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    // An empty segment and dots lead to the path of another call.
    if (values.chance(wild)) return encode(values.hostileText().replace(/^\.{0,2}$/, 'x'));
    if (name === 'id') return values.one([...known.streams, '1', '2', '99999999']);
    return encode(values.one(['ada@one.example', 'kept', '1', '3', '7', ...known.records]));
  });
  const query = parameters
    .filter((parameter) => parameter.in === 'query' && (parameter.required || values.chance(0.4)))
    .map(({ name, schema }) => `${name}=${encode(textOf(values.of(schema, wild)))}`);
  if (values.chance(wild / 2)) query.push(`${encode(values.hostileText())}=${encode(values.hostileText())}`);
  const fitting = operation.security.some((scheme) => 'operator' in scheme) ? [OPERATOR_TOKEN] : CUSTOMERS;
  const token = values.one(values.chance(0.1) ? ALL_TOKENS : fitting);
  const call = { method, url: `${filled}${query.length > 0 ? `?${query.join('&')}` : ''}`, token };
  return { ...call, ...drawBody(values, operation, wild) };
}

function drawBody(values: Values, { requestBody }: Operation, wild: number): Pick<Call, 'body' | 'headers'> {
  if (!requestBody) return values.chance(wild / 4) ? { body: values.hostile() } : {};
  if (values.chance(wild / 4)) return {};
  const [type, { schema, examples }] = values.one(Object.entries(requestBody.content));
  const headers = { 'content-type': values.chance(wild / 4) ? values.one(TYPES) : type };
  if (values.chance(wild / 4)) return { headers, body: values.one(NO_JSON) };
  const example = examples && values.chance(0.3) ? values.one(Object.values(examples)).value : undefined;
  const body = example ?? values.of(schema, wild);
  return { headers, body: typeof body === 'string' ? body : JSON.stringify(body) };
}

const TYPES = [
  'text/plain',
  'application/json; charset=utf-16',
  'application/x-ndjson',
  'a',
  '',
  'multipart/form-data',
];
const NO_JSON = [
  '{',
  '',
  '[',
  '{"a":1,}',
  '\u0000',
  '{"a":1}{"a":2}',
  'null',
  '"',
  '['.repeat(10_000),
  '1e999',
];

const encode = (text: string) => encodeURIComponent(text.toWellFormed());
const textOf = (value: unknown) => (typeof value === 'object' ? JSON.stringify(value) : String(value));

function lookUp(document: Document, ref: string): Schema {
  return document.components.schemas[ref.slice('#/components/schemas/'.length)] ?? {};
}

type Validation = (
  at: { readonly path: string; readonly method: string; readonly operation: Operation },
  url: string,
  status: number,
  type: string,
  text: string,
) => string | undefined;

/** What is wrong with an answer, by the document; undefined: nothing. */
function createValidation(document: Document): Validation {
  const ajv = withFormats(new Ajv2020({ strict: false, formats: { uint64: true } }));
  ajv.addSchema(document, 'api');
  const compiled = new Map<string, ValidateFunction>();
  const pointer = (part: string) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'));
  return ({ path, method, operation }, url, status, type, text) => {
    if (status >= 500 && status !== 503) return 'a fault of simstream itself';
    const response = operation.responses[status];
    if (!response) return undocumented(url, status);
    if (!response.content) return text === '' ? undefined : 'the document has no body for this answer';
    const documented = Object.keys(response.content);
    const media = documented.find((known) => type.startsWith(known));
    if (!media) return `the content type is ${type}, and the document has ${documented}`;
    if (media !== 'application/json') return undefined;
    const place = `api#/paths/${pointer(path)}/${method}/responses/${status}/content/application~1json/schema`;
    const check = compiled.get(place) ?? ajv.compile({ $ref: place });
    compiled.set(place, check);
    return check(JSON.parse(text)) ? undefined : ajv.errorsText(check.errors);
  };
}

/** A path that was filled with something odd may be that of another call, or of none. */
function undocumented(url: string, status: number): string | undefined {
  const other =
    (status === 404 || status === 405 || status === 400) && /%|\.\./.test(url.split('?')[0] ?? '');
  return other ? undefined : `the document has no ${status} for this call`;
}
