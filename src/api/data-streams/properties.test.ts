import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anyCharacter } from '../../lib/any-character.fixture.ts';
import { fc } from '../../lib/property.fixture.ts';
import { type ApiFixture, LETTERBOX, STREAM, setUpApi } from '../api.fixture.ts';

const PATH = '/api/v2/data_stream';
const RUNS = { numRuns: 120 };

/** Values that are nearly right, and any others. */
const almost = (...right: unknown[]) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...right) },
    { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  );
const sometimes = (shape: Record<string, fc.Arbitrary<unknown>>) =>
  fc.oneof(
    { weight: 6, arbitrary: fc.record(shape, { requiredKeys: [] }) },
    { weight: 1, arbitrary: fc.jsonValue() },
  );

const id = sometimes({ id: almost(1, 2, 3, '1', '2', 2.0, 0, -1, 1e300, '') });
const filter = fc.letrec((tie) => ({
  filter: fc.oneof(
    { maxDepth: 4 },
    sometimes({
      field: almost('event_type_id', 'alert'),
      value: almost([1, 2], 3, true, 'true', [], ['5']),
      op: almost('in', 'not_in'),
    }),
    fc.record({ or: fc.array(tie('filter'), { maxLength: 3 }) }),
    fc.record({ all: fc.array(tie('filter'), { maxLength: 3 }) }),
    fc.record({ any: fc.array(tie('filter'), { maxLength: 3 }) }),
    fc.record({ not: tie('filter') }),
  ),
})).filter;
const destination = sometimes({
  connection_type: almost('Letterbox', 'Bucket'),
  format: almost('Json', 'Csv', null),
  credentials: sometimes({
    url: almost('https://box.example/in', 'http://x', ''),
    key: almost('top secret', '***', null),
    headers: almost(['A:b', 'C:***'], []),
    size: almost(1, 10_000, '7', 0),
    name: almost('meters'),
  }),
});
const bodies = sometimes({
  name: almost('x', '', null),
  data_stream_type: id,
  relation_resolution: id,
  status: id,
  start_from: almost('2025-12-31T12:00:00Z', '2020-01-01T00:00:00Z'),
  filters: fc.oneof(fc.array(filter, { maxLength: 4 }), fc.jsonValue()),
  destination,
});
/** A valid body with one piece replaced: deep enough to pass what is checked first. */
const nearly = fc
  .tuple(
    fc.constantFrom('name', 'status', 'filters', 'destination', 'relation_resolution', 'data_stream_type'),
    bodies,
  )
  .map(([field, other]) => ({ ...STREAM, [field]: (other as Record<string, unknown> | null)?.[field] }));
const anyBody = fc.oneof(nearly, bodies, fc.jsonValue());
const raw = fc.oneof(
  fc.string({ unit: anyCharacter }),
  anyBody.map((body) => JSON.stringify(body).slice(0, -1)),
);

/** The answer is never a fault of the node's, and after a refusal all is as it was. */
async function check(
  api: ApiFixture,
  method: 'POST' | 'PATCH',
  path: string,
  body: unknown,
): Promise<number> {
  const before = await api.everything();
  const { status, text } = await api.call(method, path, { body });
  assert.ok(status < 500, `${status} ${text}`);
  assert.ok([201, 202, 400, 404, 422].includes(status), `${status} ${text}`);
  if (status >= 400) assert.equal(await api.everything(), before);
  return status;
}

test('any body of a creation is taken or refused, cleanly', async () => {
  const api = await setUpApi({ mostStreams: 100_000 });
  let created = 0;
  const property = fc.asyncProperty(fc.oneof(anyBody, raw), async (body) => {
    if ((await check(api, 'POST', PATH, body)) !== 201) return;
    created++;
    const { body: list } = await api.call('GET', PATH);
    for (const { id: stream } of list) await api.call('DELETE', `${PATH}/${stream}`);
  });
  await fc.assert(property, RUNS);
  assert.ok(created > 0, 'the bodies must not all be refused');
  await api.close();
});

test('any body of a change is taken or refused, cleanly, and the stream can be read', async () => {
  const api = await setUpApi();
  const stream = await api.create({ ...STREAM, destination: LETTERBOX });
  let changed = 0;
  const property = fc.asyncProperty(fc.oneof(anyBody, raw), async (body) => {
    if ((await check(api, 'PATCH', `${PATH}/${stream}`, body)) === 202) changed++;
    const { status, text } = await api.call('GET', `${PATH}/${stream}`);
    assert.equal(status, 200);
    assert.doesNotMatch(text, /top secret|hush/);
  });
  await fc.assert(property, RUNS);
  assert.ok(changed > 0, 'the bodies must not all be refused');
  await api.close();
});

test('any id is found or not', async () => {
  const api = await setUpApi();
  // A client resolves the two of dots before it sends the request: they are other paths.
  const anyId = fc
    .oneof(fc.string({ unit: anyCharacter }), fc.string(), fc.nat().map(String))
    .filter((text) => !['', '.', '..'].includes(text));
  const property = fc.asyncProperty(anyId, async (text) => {
    const { status } = await api.call('GET', `${PATH}/${encodeURIComponent(text.toWellFormed())}`);
    assert.equal(status, 404, text);
  });
  await fc.assert(property, { numRuns: 100 });
  await api.close();
});
