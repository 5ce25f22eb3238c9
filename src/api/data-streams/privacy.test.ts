import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { KEPT_FIELDS } from '../../privacy/parse.ts';
import { type ApiFixture, STREAM, setUpApi } from '../api.fixture.ts';

const PATH = '/api/v2/data_stream';
let api: ApiFixture;

beforeEach(async () => {
  api = await setUpApi();
});
afterEach(() => api.close());

const privacy = { drop: ['sim.msisdn', 'sim.msisdn'], hash: ['imsi'] };
const kept = { drop: ['sim.msisdn'], hash: ['imsi'] };
const read = async (id: string) => (await api.call('GET', `${PATH}/${id}`)).body;

test('privacy is kept, shown, changed as a whole and taken away', async () => {
  const id = await api.create({ ...STREAM, privacy });
  assert.deepEqual((await read(id)).privacy, kept);
  const patch = (body: object) => api.call('PATCH', `${PATH}/${id}`, { body });
  const before = await api.document(id);
  assert.equal((await patch(await read(id))).status, 202);
  assert.deepEqual(await api.document(id), before);
  assert.equal((await patch({ name: 'Another' })).status, 202);
  assert.deepEqual((await read(id)).privacy, kept);
  assert.equal((await patch({ privacy: { hash: ['imsi'] } })).status, 202);
  assert.deepEqual((await read(id)).privacy, { drop: [], hash: ['imsi'] });
  assert.equal((await patch({ privacy: {} })).status, 202);
  assert.equal('privacy' in (await read(id)), false);
  const history = (await api.call('GET', `${PATH}/${id}/history`)).body;
  assert.deepEqual(
    history.map(({ message }: { message: string }) => message),
    [
      'The privacy of records was changed: receivers get all fields.',
      'The privacy of records was changed: with a hash in place of imsi.',
      'Created.',
    ],
  );
});

test('what cannot be removed or hashed is refused by name', async () => {
  const cases: readonly (readonly [unknown, string, string])[] = [
    [[], '/privacy', 'InvalidFormat'],
    ['drop', '/privacy', 'InvalidFormat'],
    [{ mask: ['imsi'] }, '/privacy/mask', 'NotAllowed'],
    [{ drop: 'imsi' }, '/privacy/drop', 'InvalidFormat'],
    [{ drop: ['imsi', 'a..b'] }, '/privacy/drop/1', 'InvalidFormat'],
    [{ hash: [5] }, '/privacy/hash/0', 'InvalidFormat'],
    [{ hash: ['a.b.c.d.e.f.g.h.i'] }, '/privacy/hash/0', 'OutOfRange'],
    [{ drop: ['imsi'], hash: ['imsi'] }, '/privacy/hash/0', 'NotAllowed'],
    [{ drop: Array.from({ length: 51 }, (_, n) => `f${n}`) }, '/privacy', 'OutOfRange'],
    ...[...KEPT_FIELDS, 'organisation', 'event_type'].map(
      (path) => [{ drop: [path] }, '/privacy/drop/0', 'NotAllowed'] as const,
    ),
  ];
  for (const [given, path, token] of cases) {
    for (const call of ['', '/test', '/preview']) {
      const refused = await api.call('POST', `${PATH}${call}`, { body: { ...STREAM, privacy: given } });
      assert.equal(refused.status, 422, JSON.stringify(given));
      assert.deepEqual([refused.body.errors[0].path, refused.body.errors[0].error_token], [path, token]);
    }
  }
});
