import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { destinationTypes } from '../../destinations/all.ts';
import type { DestinationType } from '../../destinations/contract.ts';
import { ERRORS } from '../../errors.ts';
import { type CallResult, setUpApi } from '../api.fixture.ts';
import { casesOf, type FieldCase, type FieldSample, isNeeded, propertiesOf } from '../field-cases.fixture.ts';

/**
 * Every field of every connection type: missing, of another type, outside its limits, malformed, masked; on creation and
 * on change. Cases come from the connectors' own schemas; here stands what a schema cannot say. A connection type or a
 * field without samples, or with a limit that no case tests, fails.
 */
const ROLE = 'arn:aws:iam::123456789012:role/simstream';
const region: FieldSample = {
  valid: 'eu-west-1',
  more: ['a', 'r'.repeat(40), 'us-gov-west-1'],
  malformed: ['eu west 1', 'EU-WEST-1', '-eu', 'eu-', 'eu.west', 'eu-west-1/', '***'],
};
const role_arn: FieldSample = {
  valid: ROLE,
  more: [
    // As emnify's published example has it: a colon and two digits are missing.
    'arn:aws:iam:1234567890:role/datastreamer',
    'arn:aws-us-gov:iam::123456789012:role/path/of/role',
    ROLE.padEnd(2048, 'x'),
  ],
  malformed: [
    'role/simstream',
    'arn:aws:iam::123456789012:user/x',
    `${ROLE}\n`.repeat(2),
    `${ROLE} x`,
    '***',
  ],
};
const HUB = (key: string, host = 'iot.servicebus.windows.net') =>
  `Endpoint=sb://${host}/;SharedAccessKeyName=send;SharedAccessKey=${key};EntityPath=usage`;
const HUB_LENGTH = HUB('').length;
const size: FieldSample = { valid: 500 };

const SAMPLES: Readonly<Record<string, Readonly<Record<string, FieldSample>>>> = {
  RestAPI: {
    url: {
      valid: 'https://receiver.example/in?tenant=7',
      more: ['http://receiver.example:8080', 'https://receiver.example/'.padEnd(2048, 'x')],
      malformed: [
        'receiver.example',
        'ftp://receiver.example/',
        'https://',
        'https://u:p@receiver.example/',
        '***',
      ],
      elsewhere: 'https://other.example/in',
    },
    method: { valid: 'PUT' },
    headers: {
      valid: ['Authorization:Bearer hush-hush', 'X-Source: simstream'],
      more: [['X-Long:'.padEnd(8192, 'x')], ['X:y']],
      malformed: [
        'hush-hush',
        ':hush-hush',
        'X Y:hush-hush',
        'Host:hush-hush',
        'X:hush\r\nhush',
        'X-Source:',
        'X:☃',
      ],
      masked: ['Authorization:***', 'X-Source:***'],
    },
    size,
    signing_secret: {
      valid: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
      more: ['eightlet', 's'.repeat(512)],
      malformed: ['whsec_not base64', 'with blanks in it', 'schlüssel'],
      masked: '***',
    },
  },
  AwsKinesis: {
    region,
    stream_name: {
      valid: 'usage_2.eu-1',
      more: ['u', 's'.repeat(128)],
      malformed: ['with blank', 'a/b', 'arn:aws:kinesis:x', 'ströme', '***'],
    },
    role_arn,
  },
  S3: {
    region,
    bucket_name: {
      valid: 'simstream-records',
      more: ['abc', 'my.bucket.1', 'b'.repeat(63)],
      malformed: ['Bucket', 'a_b', '-ab', 'ab-', 'a..b', '10.0.0.1', 's3://bucket', '***'],
    },
    role_arn,
    flush_size: { valid: 5000 },
    rotate_interval: { valid: 60_000 },
    compression: { valid: 'gzip' },
    extra_columns: { valid: ['session_id', 'imsi_id'] },
  },
  EventHubs: {
    connection_string: {
      valid: HUB('a2V5IG9mIHRoZSBodWI='),
      more: [
        HUB('k'.repeat(4096 - HUB_LENGTH)),
        `${HUB('a2V5')};`,
        HUB('a2V5').replace('EntityPath', 'entitypath'),
      ],
      malformed: [
        HUB('a2V5').replace(';EntityPath=usage', ''),
        HUB('a2V5').replace('sb:', 'ftp:'),
        HUB(''),
        HUB('a2V5').replace('SharedAccessKeyName=send;', ''),
        `${HUB('a2V5')};EntityPath=other`,
        'connection string',
        '***',
      ],
      masked: HUB('***'),
      elsewhere: HUB('***', 'other.servicebus.windows.net'),
    },
    partition_key: { valid: 'endpoint_id' },
  },
  PubSub: {
    cps_project: {
      valid: 'iot-records',
      more: ['abcdef', '123456789012', `${'d'.repeat(165)}.com:${'p'.repeat(30)}`],
      malformed: ['short', 'Iot-Records', 'iot_records', 'iot-records-', '1abcdef', 'x'.repeat(31), '***'],
    },
    cps_topic: {
      valid: 'usage',
      more: ['abc', 't'.repeat(255), 'a-b_c.d~e+f%g'],
      malformed: ['ab', '1usage', 'goog-usage', 'projects/iot-records/topics/usage', 'a b c', '***'],
    },
    ordering_key: { valid: 'endpoint_id' },
  },
  KeenIO: {
    project_id: {
      valid: '5f2a9c81d0e34b7796ab12cd',
      more: ['5', 'p'.repeat(100)],
      malformed: ['a b', '../x', 'a/b', 'ä', '***'],
      elsewhere: '5f2a9c81d0e34b7796ab12ce',
    },
    write_key: {
      valid: 'A1B2C3D4E5F60718293A4B5C6D7E8F90',
      more: ['k', 'K'.repeat(2048)],
      malformed: ['key with blanks', 'key\n', 'schlüssel'],
      masked: '***',
    },
    collection_name: {
      valid: 'sim_usage',
      more: ['c', 'c'.repeat(64), 'with blank'],
      malformed: ['$usage', 'gerät', 'a\nb'],
    },
    size,
  },
  Datadog: {
    api_key: {
      valid: '0123456789abcdef0123456789abcdef',
      more: ['k', 'k'.repeat(256)],
      malformed: ['key with blanks', 'key\n', 'schlüssel'],
      masked: '***',
    },
    region: { valid: 'EU', elsewhere: 'US3' },
    include_sms: { valid: true },
    historical_metrics: { valid: true },
  },
};

const PATH = '/api/v2/data_stream';
const AT = '/destination/credentials';
type Credentials = Readonly<Record<string, unknown>>;

test('each connection type has samples, and no other', () => {
  assert.deepEqual(Object.keys(SAMPLES).sort(), [...destinationTypes.keys()].sort());
});

for (const type of destinationTypes.values()) {
  const samples = SAMPLES[type.connectionType] ?? {};
  const fields = Object.keys(propertiesOf(type));
  const whole: Credentials = Object.fromEntries(fields.map((field) => [field, samples[field]?.valid]));
  const secrets = fields.filter((field) => propertiesOf(type)[field]?.['x-secret']);
  const cases = () =>
    fields.flatMap((field) => casesOf(type, field, samples[field]).map((each) => ({ ...each, field })));

  describe(type.connectionType, () => {
    test('each field has a sample, and no other', () => {
      assert.deepEqual(Object.keys(samples).sort(), fields.sort());
      assert.ok(cases().length > 0);
    });

    test('what is refused is refused on creation, on a dry run and on a change, and nothing is stored', async () => {
      const api = await setUpApi({ destinationTypes });
      const id = await api.create(bodyOf(type, whole));
      const before = await api.everything();
      for (const each of cases().filter((one) => one.fault)) {
        const body = bodyOf(type, changed(whole, each));
        checkFault(await api.call('POST', PATH, { body }), each);
        checkFault(await api.call('POST', `${PATH}/test`, { body }), each);
        const { destination } = body;
        checkFault(await api.call('PATCH', `${PATH}/${id}`, { body: { destination } }), each);
      }
      assert.equal(await api.everything(), before);
      assert.equal(api.verification.asked.length, 1, 'nobody was asked about what is refused');
      await api.close();
    });

    test('what is accepted is stored, with defaults in the place of what is missing', async () => {
      const api = await setUpApi({ destinationTypes });
      for (const each of cases().filter((one) => !one.fault)) {
        const { destination, ...rest } = bodyOf(type, changed(whole, each));
        const id = await api.create({ ...rest, destination });
        assert.deepEqual(await api.credentials(id), storedAs(type, whole, each), each.field);
        await api.call('PATCH', `${PATH}/${id}`, { body: bodyOf(type, whole) });
        const { status, text } = await api.call('PATCH', `${PATH}/${id}`, { body: { destination } });
        assert.equal(status, 202, text);
        assert.deepEqual(await api.credentials(id), storedAs(type, whole, each), each.field);
        await api.call('DELETE', `${PATH}/${id}`);
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
        const { destination, ...rest } = bodyOf(type, whole);
        return { ...rest, destination: { ...destination, format } };
      };
      for (const format of [undefined, null, ...type.formats]) {
        const id = await api.create(body(format));
        assert.equal((await api.document(id))?.format, format ?? type.formats[0]);
      }
      const others = ['Json', 'Csv', 'Xml', 'json', ''].filter(
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
        for (const each of cases().filter((one) => !one.fault && one.field !== field)) {
          if (samples[each.field]?.elsewhere !== undefined) continue;
          assert.equal((await patch(changed(masked, each))).status, 202);
          assert.deepEqual(await api.credentials(id), storedAs(type, whole, each), `${field}, ${each.field}`);
          assert.equal((await patch(whole)).status, 202);
        }
        for (const [other, { elsewhere }] of Object.entries(samples)) {
          if (elsewhere === undefined) continue;
          const answer = await patch({ ...masked, [other]: elsewhere });
          checkFault(answer, { field: '', fault: { token: 'Required', path: '' } });
          assert.deepEqual(await api.credentials(id), whole);
        }
      }
      await api.close();
    });

    test('a mask with nothing stored behind it is refused', async () => {
      const api = await setUpApi({ destinationTypes });
      const [other = type] = [...destinationTypes.values()].filter((one) => one !== type);
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
  const samples = Object.entries(SAMPLES[type.connectionType] ?? {});
  return Object.fromEntries(samples.map(([field, { valid }]) => [field, valid]));
}

function bodyOf({ connectionType }: DestinationType, credentials: Credentials) {
  return { data_stream_type: { id: 2 }, destination: { connection_type: connectionType, credentials } };
}

type Named<Case> = Case & { readonly field: string };

function changed(credentials: Credentials, { field, value }: Named<FieldCase>): Credentials {
  const { [field]: _, ...others } = credentials;
  return value === undefined ? others : { ...others, [field]: value };
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
