import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { configureDestination } from '../configure.ts';
import { pubSub } from './pub-sub.ts';

describe('PubSub: configuration', () => {
  const configure = (more: Record<string, unknown>) =>
    configureDestination(pubSub, { cps_project: 'iot-records', cps_topic: 'usage', ...more });

  test('ids as Google has them', () => {
    for (const cps_project of ['iot-records', 'a23456', 'example.com:iot-records', '123456789012']) {
      assert.equal(configure({ cps_project }).type, 'configured', cps_project);
    }
    for (const cps_topic of ['abc', 'Usage_1.v~2+3%25', `a${'b'.repeat(254)}`]) {
      assert.equal(configure({ cps_topic }).type, 'configured', cps_topic);
    }
    const good = configure({});
    assert.ok(good.type === 'configured');
    assert.equal(good.configured.target, 'pubsub://iot-records/usage');
    assert.deepEqual(good.credentials, {
      cps_project: 'iot-records',
      cps_topic: 'usage',
      ordering_key: 'none',
    });
  });

  const faults: [string, Record<string, unknown>, string, RegExp][] = [
    ['a project that is too short', { cps_project: 'abc' }, 'cps_project', /6 to 30/],
    ['a project with capitals', { cps_project: 'Iot-Records' }, 'cps_project', /lower-case letters/],
    ['a project with a path', { cps_project: 'iot-records/../x' }, 'cps_project', /is not the id/],
    ['no project', { cps_project: null }, 'cps_project', /is missing/],
    ['a full name', { cps_topic: 'projects/iot-records/topics/usage' }, 'cps_topic', /give its last part/],
    ['a name of Google’s', { cps_topic: 'google-x' }, 'cps_topic', /goog/],
    ['a topic that is too short', { cps_topic: 'ab' }, 'cps_topic', /3 to 255/],
    ['a topic that begins with a digit', { cps_topic: '1usage' }, 'cps_topic', /a letter first/],
    ['a topic with a slash', { cps_topic: 'a/b/c' }, 'cps_topic', /3 to 255/],
    ['another key', { ordering_key: 'iccid' }, 'ordering_key', /./],
  ];
  for (const [name, more, field, words] of faults) {
    test(`${name} is a fault of ${field}`, () => {
      const result = configure(more);
      assert.ok(result.type === 'invalid', JSON.stringify(result));
      assert.deepEqual(
        result.faults.map(({ path }) => path),
        [`/destination/credentials/${field}`],
      );
      assert.match(result.faults[0]?.message ?? '', words);
    });
  }
});
