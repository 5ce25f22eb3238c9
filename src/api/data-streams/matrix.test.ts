import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { destinationTypes } from '../../destinations/all.ts';
import type { DestinationType } from '../../destinations/contract.ts';
import {
  type ConnectorSamples,
  connectorSamples,
  type FieldSample,
} from '../../destinations/samples.fixture.ts';
import { ERRORS } from '../../errors.ts';
import { FORMATS } from '../../records/formats.ts';
import { setUpApi } from '../api.fixture.ts';
import type { CallResult } from '../checked-answer.fixture.ts';
import { casesOf, type FieldCase, isNeeded, propertiesOf } from '../field-cases.fixture.ts';

/**
 * Every field of every connection type: missing, of another type, outside its limits, malformed, masked; on creation and
 * on change. Cases come from each connector's schema, and from the samples in its folder. A connection type or a field
 * without samples, or with a limit that no case tests, fails.
 */
const samplesOf = new Map<DestinationType, ConnectorSamples['fields']>();
for (const type of destinationTypes.values()) samplesOf.set(type, (await connectorSamples(type)).fields);

const PATH = '/api/v2/data_stream';
const AT = '/destination/credentials';
type Credentials = Readonly<Record<string, unknown>>;

for (const type of destinationTypes.values()) {
  const samples = samplesOf.get(type) ?? {};
  const fields = Object.keys(propertiesOf(type));
  const whole: Credentials = Object.fromEntries(fields.map((field) => [field, samples[field]?.valid]));
  const secrets = fields.filter((field) => propertiesOf(type)[field]?.['x-secret']);
  const cases = () =>
    fields.flatMap((field) => casesOf(type, field, samples[field]).map((each) => ({ ...each, field })));
  const refused = () => cases().filter(({ fault }) => fault);
  const accepted = () => cases().filter(({ fault }) => !fault);

  describe(type.connectionType, () => {
    test('each field has a sample, and no other', () => {
      assert.deepEqual(Object.keys(samples).sort(), fields.sort());
      assert.ok(cases().length > 0);
    });

    test('what is refused is refused on creation, on a dry run and on a change, and nothing is stored', async () => {
      const api = await setUpApi({ destinationTypes });
      // Of another type: of the same one what is missing stays as it is.
      const id = await api.create(bodyOf(otherThan(type), validOf(otherThan(type))));
      const before = await api.everything();
      for (const each of refused())
        checkFault(await api.call('POST', PATH, { body: bodyOf(type, changed(whole, each)) }), each);
      // They read a destination as a creation does: a case of each fault of each field shows it.
      for (const each of firsts(refused(), ({ field, fault }) => `${field} ${fault?.token}`)) {
        const body = bodyOf(type, changed(whole, each));
        checkFault(await api.call('POST', `${PATH}/test`, { body }), each);
        const { destination } = body;
        checkFault(await api.call('PATCH', `${PATH}/${id}`, { body: { destination } }), each);
      }
      assert.equal(await api.everything(), before);
      assert.equal(api.verification.asked.length, 1, 'nobody was asked about what is refused');
      await api.close();
    });

    test('what is accepted is stored, with defaults in the place of what is missing', async () => {
      const api = await setUpApi({ destinationTypes, mostStreams: 1_000 });
      for (const each of accepted()) {
        const id = await api.create(bodyOf(type, changed(whole, each)));
        assert.deepEqual(await api.credentials(id), storedAs(type, whole, each), each.field);
      }
      // In the place of a destination of another type: with and without each field.
      const other = bodyOf(otherThan(type), validOf(otherThan(type)));
      const id = await api.create(other);
      for (const each of firsts(accepted(), isGiven)) {
        const { destination } = bodyOf(type, changed(whole, each));
        const { status, text } = await api.call('PATCH', `${PATH}/${id}`, { body: { destination } });
        assert.equal(status, 202, text);
        assert.deepEqual(await api.credentials(id), storedAs(type, whole, each), each.field);
        await api.call('PATCH', `${PATH}/${id}`, { body: other });
      }
      await api.close();
    });

    test('a change keeps what it does not give, and takes the rest', async () => {
      const api = await setUpApi({ destinationTypes });
      const id = await api.create(bodyOf(type, whole));
      const patch = async (credentials: Credentials) => {
        const { destination } = bodyOf(type, credentials);
        const { status, text } = await api.call('PATCH', `${PATH}/${id}`, { body: { destination } });
        assert.equal(status, 202, text);
      };
      for (const each of accepted()) {
        if (samples[each.field]?.elsewhere !== undefined && each.value !== undefined) continue;
        await patch(each.value === undefined ? {} : { [each.field]: each.value });
        assert.deepEqual(await api.credentials(id), changedTo(type, whole, each), each.field);
        await patch(whole);
      }
      await api.close();
    });

    test('what answers show of it can be sent back, and changes nothing', async () => {
      const api = await setUpApi({ destinationTypes });
      const id = await api.create(bodyOf(type, whole));
      const { body } = await api.call('GET', `${PATH}/${id}`);
      assert.deepEqual(body.destination.credentials, { ...whole, ...masks(secrets, samples) });
      const before = await api.everything();
      const { destination } = body;
      assert.equal((await api.call('PATCH', `${PATH}/${id}`, { body: { destination } })).status, 202);
      assert.equal(await api.everything(), before);
      assert.equal(api.verification.asked.length, 1);
      await api.close();
    });

    test('the formats that it has, the first by default, and no other', async () => {
      const api = await setUpApi({ destinationTypes });
      const body = (format: unknown) => {
        const { destination, ...rest } = bodyOf(type, fieldsWith(type, whole, format));
        return { ...rest, destination: { ...destination, format } };
      };
      for (const format of [undefined, null, ...type.formats]) {
        const id = await api.create(body(format));
        assert.equal((await api.document(id))?.format, format ?? type.formats[0]);
      }
      const others = [...Object.keys(FORMATS), 'Xml', 'json', ''].filter(
        (one) => !type.formats.some((has) => has === one),
      );
      for (const format of [...others, 1, true, ['Json']]) {
        const answer = await api.call('POST', PATH, { body: body(format) });
        const code = typeof format === 'string' ? 1404 : 1403;
        const told = answer.body?.errors?.map((each: { path: string }) => each.path);
        assert.deepEqual(
          [answer.status, answer.body?.error_code, told],
          [422, code, ['/destination/format']],
        );
      }
      await api.close();
    });

    if (secrets.length === 0) return;

    test('a mask keeps the stored secret beside any change, but for another destination', async () => {
      const api = await setUpApi({ destinationTypes });
      for (const field of secrets) {
        const id = await api.create(bodyOf(type, whole));
        const masked = { ...whole, [field]: samples[field]?.masked };
        const patch = (credentials: Credentials) =>
          api.call('PATCH', `${PATH}/${id}`, {
            body: { destination: bodyOf(type, credentials).destination },
          });
        for (const each of firsts(accepted(), isGiven)) {
          if (each.field === field) continue;
          if (samples[each.field]?.elsewhere !== undefined) continue;
          assert.equal((await patch(changed(masked, each))).status, 202);
          assert.deepEqual(
            await api.credentials(id),
            changedTo(type, whole, each),
            `${field}, ${each.field}`,
          );
          assert.equal((await patch(whole)).status, 202);
        }
        for (const [other, { elsewhere }] of Object.entries(samples)) {
          if (elsewhere === undefined) continue;
          // The new value is given in full.
          if (other === field && !JSON.stringify(elsewhere).includes('***')) continue;
          const secret = samples[field]?.masked;
          const paths = Array.isArray(secret) ? secret.map((_, index) => `/${index}`) : [''];
          const stranded = paths.map((path) => ({ field, fault: { token: 'Required', path } as const }));
          checkFaults(await patch({ ...masked, [other]: elsewhere }), stranded);
          if (other !== field) {
            const { [field]: _, ...omitted } = { ...whole, [other]: elsewhere };
            checkFault(await patch(omitted), { field, fault: { token: 'Required', path: '' } });
          }
          assert.deepEqual(await api.credentials(id), whole);
        }
      }
      await api.close();
    });

    test('a mask with nothing stored behind it is refused', async () => {
      const api = await setUpApi({ destinationTypes });
      const other = otherThan(type);
      const otherBody = bodyOf(other, validOf(other));
      const id = await api.create(otherBody);
      for (const field of secrets) {
        const value = samples[field]?.masked;
        const credentials = { ...whole, [field]: value };
        const paths = Array.isArray(value) ? value.map((_, index) => `/${index}`) : [''];
        const expected = paths.map((path) => ({ field, fault: { token: 'Required', path } as const }));
        const { destination } = bodyOf(type, credentials);
        for (const answer of [
          await api.call('POST', PATH, { body: bodyOf(type, credentials) }),
          await api.call('POST', `${PATH}/test`, { body: bodyOf(type, credentials) }),
          await api.call('PATCH', `${PATH}/${id}`, { body: { destination } }),
        ]) {
          checkFaults(answer, expected);
        }
      }
      assert.deepEqual(await api.credentials(id), otherBody.destination.credentials);
      await api.close();
    });
  });
}

function validOf(type: DestinationType): Credentials {
  const samples = Object.entries(samplesOf.get(type) ?? {});
  return Object.fromEntries(samples.map(([field, { valid }]) => [field, valid]));
}

function bodyOf({ connectionType }: DestinationType, credentials: Credentials) {
  return { data_stream_type: { id: 2 }, destination: { connection_type: connectionType, credentials } };
}

type Named<Case> = Case & { readonly field: string };

/** The first case of each key. */
function firsts(cases: readonly Named<FieldCase>[], keyOf: (one: Named<FieldCase>) => string) {
  const keys = new Set<string>();
  return cases.filter((one) => keys.size < keys.add(keyOf(one)).size);
}

const isGiven = ({ field, value }: Named<FieldCase>) => `${field} ${value != null}`;

function changed(credentials: Credentials, { field, value }: Named<FieldCase>): Credentials {
  const { [field]: _, ...others } = credentials;
  return value === undefined ? others : { ...others, [field]: value };
}

/** Without the fields that have no effect with the format. */
function fieldsWith(type: DestinationType, whole: Credentials, format: unknown): Credentials {
  const fits = ([field]: [string, unknown]) => {
    const { 'x-formats': formats } = type.credentials.properties[field] as { 'x-formats'?: unknown[] };
    return formats?.includes(format ?? type.formats[0]) ?? true;
  };
  return Object.fromEntries(Object.entries(whole).filter(fits));
}

/** What is stored of accepted credentials: defaults filled in, digits as integers. */
function storedAs(type: DestinationType, whole: Credentials, each: Named<FieldCase>): Credentials {
  const { [each.field]: _, ...others } = whole;
  const property = propertiesOf(type)[each.field];
  const given = property?.type === 'integer' && each.value !== null ? Number(each.value) : each.value;
  const value = each.value === undefined || each.value === null ? property?.default : given;
  if (value === undefined) assert.ok(!isNeeded(type, each.field));
  return value === undefined ? others : { ...others, [each.field]: value };
}

function masks(secrets: readonly string[], samples: Readonly<Record<string, FieldSample>>): Credentials {
  return Object.fromEntries(secrets.map((field) => [field, samples[field]?.masked]));
}

/** What is stored after a change of `whole` by one field: what is missing stays. */
function changedTo(type: DestinationType, whole: Credentials, each: Named<FieldCase>): Credentials {
  const given = each.value !== undefined && each.value !== null;
  return given ? storedAs(type, whole, each) : whole;
}

function otherThan(type: DestinationType): DestinationType {
  return [...destinationTypes.values()].find((one) => one !== type) ?? type;
}

type Fault = Named<Pick<FieldCase, 'fault'>> & Partial<FieldCase>;

function checkFault(answer: CallResult, expected: Fault): void {
  checkFaults(answer, [expected]);
}

/** 422 with the code of the fault, or 1400 for several, and each with its own code and the path of its field. */
function checkFaults({ status, body, text }: CallResult, expected: readonly Fault[]): void {
  const [first] = expected;
  const shown = `${first?.field} ${first?.what}: ${JSON.stringify(first?.value)?.slice(0, 100)}\n${text}`;
  const faults = expected.map(({ field, fault }) => ({
    code: ERRORS[fault?.token ?? 'Failed'].code,
    token: fault?.token,
    path: `${AT}${field && `/${field}`}${fault?.path}`,
  }));
  const told = body?.errors?.map((each: { error_code: number; error_token: string; path: string }) => ({
    code: each.error_code,
    token: each.error_token,
    path: each.path,
  }));
  assert.equal(status, 422, shown);
  assert.deepEqual(told, faults, shown);
  assert.equal(body.error_code, faults.length > 1 ? 1400 : faults[0]?.code, shown);
  for (const { path } of faults) assert.ok(body.message.includes(path), shown);
  assert.doesNotMatch(text, /hush|a2V5|schlüssel|key with/, 'an answer repeats a secret');
}
