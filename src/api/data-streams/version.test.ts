import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type DataStreamDocument, streamKey } from '../../registry/data-stream.ts';
import type { Json, Registry } from '../../registry/registry.ts';
import { setUpApi } from '../api.fixture.ts';

const PATH = '/api/v2/data_stream';
const CHANGES = [
  ['PATCH', '', { name: 'Second' }],
  ['POST', '/restart', undefined],
  ['DELETE', '', undefined],
] as const;

/** An API with one stream, and the stream's tag. */
async function setUp(beforePut?: (key: string, registry: Registry) => Promise<void>) {
  const api = await setUpApi(beforePut ? { beforePut } : {});
  const id = await api.create();
  // It runs, so that it can be restarted.
  await api.progress(id);
  const tag = async () => String((await api.call('GET', `${PATH}/${id}`)).headers.etag);
  const change = async (
    [method, path, body]: readonly [
      method: 'PATCH' | 'POST' | 'DELETE',
      path: string,
      body: object | undefined,
    ],
    ifMatch: string | undefined,
  ) =>
    api.call(method, `${PATH}/${id}${path}`, {
      ...(body ? { body } : {}),
      ...(ifMatch === undefined ? {} : { headers: { 'if-match': ifMatch } }),
    });
  return { api, id, tag, change };
}

describe('If-Match', () => {
  for (const call of CHANGES) {
    test(`${call[0]} ${call[1]}: whoever does not know the last change is refused, and changes nothing`, async () => {
      const { api, id, tag, change } = await setUp();
      const known = await tag();
      const other = await change(['PATCH', '', { filters: [{ field: 'alert', value: true }] }], known);
      assert.equal(other.status, 202);
      const now = await tag();
      assert.notEqual(now, known);
      assert.equal(other.headers.etag, now, 'an answer says the version that it made');
      const stored = await api.document(id);

      const refused = await change(call, known);
      assert.deepEqual([refused.status, refused.body.error_code], [412, 9006]);
      assert.match(refused.body.message, new RegExp(`Data stream ${id} was changed since you read it`));
      assert.equal(refused.headers.etag, now);
      assert.deepEqual(await api.document(id), stored);
      assert.equal((await change(call, `"other", W/${now}`)).status, 202, 'one of several, weak or not');
      await api.close();
    });

    test(`${call[0]} ${call[1]}: without the header, or with *, the last change wins`, async () => {
      for (const header of [undefined, '*']) {
        const { api, change } = await setUp();
        await change(['PATCH', '', { name: 'Meanwhile' }], undefined);
        assert.equal((await change(call, header)).status, 202);
        await api.close();
      }
    });

    test(`${call[0]} ${call[1]}: a header that is no tag is refused instead of ignored`, async () => {
      const { api, id, tag, change } = await setUp();
      for (const header of ['mk2x8w3c', '""x', '"a" "b"', '*, "a"', (await tag()).slice(1)]) {
        const { status, body } = await change(call, header);
        assert.deepEqual([status, body.error_code], [400, 1000], header);
      }
      assert.equal((await api.document(id))?.name, 'First');
      await api.close();
    });

    test(`${call[0]} ${call[1]}: a change that another call makes at the last moment counts too`, async () => {
      let meanwhile: ((registry: Registry) => Promise<unknown>) | undefined;
      const { api, id, tag, change } = await setUp(async (key, registry) => {
        if (!meanwhile || !(key.startsWith('stream.') || key.startsWith('removal.'))) return;
        const run = meanwhile;
        meanwhile = undefined;
        await run(registry);
      });
      const known = await tag();
      meanwhile = async (registry) => {
        const { value, revision } = (await registry.get(streamKey(1, id))) as {
          value: Json;
          revision: number;
        };
        const { modified } = value as unknown as DataStreamDocument;
        const later = new Date(Date.parse(modified) + 1).toISOString();
        await registry.put(streamKey(1, id), { ...(value as object), modified: later } as Json, revision);
      };
      assert.equal((await change(call, known)).status, 412);
      assert.equal((await api.document(id))?.name, 'First');
      await api.close();
    });
  }

  test('the tag stands in the body and in lists too, and only what people set changes it', async () => {
    const { api, id, tag, change } = await setUp();
    const first = await tag();
    assert.equal((await api.call('GET', `${PATH}/${id}`)).body.etag, first);
    assert.equal((await api.call('GET', PATH)).body[0].etag, first);
    await api.progress(id, { pending: 5 });
    const body = { from: 'earliest' };
    assert.equal((await api.call('POST', `${PATH}/${id}/replay`, { body })).status, 201);
    assert.equal(await tag(), first);
    // What an answer showed changes nothing.
    const shown = (await api.call('GET', `${PATH}/${id}`)).body;
    assert.equal((await change(['PATCH', '', shown], first)).status, 202);
    assert.equal(await tag(), first);
    await api.close();
  });

  test('changes in the same millisecond, or with a clock that was set back, have tags of their own', async () => {
    const { api, tag, change } = await setUp();
    const tags = new Set([await tag()]);
    for (const name of ['a', 'b', 'c']) {
      await change(['PATCH', '', { name }], undefined);
      tags.add(await tag());
    }
    assert.equal((await change(['POST', '/restart', undefined], undefined)).status, 202);
    tags.add(await tag());
    assert.equal(tags.size, 5);
    await api.close();
  });

  test('a stream that does not exist is not found, whatever is demanded', async () => {
    const { api } = await setUp();
    for (const header of ['*', '"a"']) {
      const headers = { 'if-match': header };
      assert.equal((await api.call('DELETE', `${PATH}/00000000`, { headers })).status, 404);
    }
    await api.close();
  });
});
