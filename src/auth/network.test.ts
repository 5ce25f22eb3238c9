import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isInRange, parseRange, sourceOf } from './network.ts';

describe('network', () => {
  test('takes addresses and CIDR blocks, and nothing else', () => {
    for (const text of ['192.0.2.1', '192.0.2.0/24', '0.0.0.0/0', '2001:db8::1', '2001:db8::/32', '::/0']) {
      assert.ok(parseRange(text), text);
    }
    const bad = [
      '',
      '192.0.2',
      '192.0.2.1/33',
      '192.0.2.1/',
      '192.0.2.1/x',
      '192.0.2.1/-1',
      '192.0.2.1/24/8',
    ];
    for (const text of [...bad, '2001:db8::/129', 'fe80::1%eth0', 'example.org', '192.0.2.256', '1/8']) {
      assert.equal(parseRange(text), undefined, text);
    }
  });

  test('finds an address in its range, also when a dual-stack socket shows it mapped', () => {
    const cases: [string, string, boolean][] = [
      ['192.0.2.7', '192.0.2.0/24', true],
      ['192.0.3.7', '192.0.2.0/24', false],
      ['::ffff:192.0.2.7', '192.0.2.0/24', true],
      ['::ffff:192.0.3.7', '192.0.2.0/24', false],
      ['192.0.2.7', '192.0.2.7', true],
      ['192.0.2.8', '192.0.2.7', false],
      ['2001:db8::5', '2001:db8::/32', true],
      ['2001:db9::5', '2001:db8::/32', false],
      ['192.0.2.7', '2001:db8::/32', false],
      ['', '0.0.0.0/0', false],
    ];
    for (const [address, range, expected] of cases) {
      assert.equal(isInRange(address, range), expected, `${address} in ${range}`);
    }
  });

  test('counts an IPv4 address alone and an IPv6 address by its /64', () => {
    assert.equal(sourceOf('192.0.2.7'), '192.0.2.7');
    assert.equal(sourceOf('::ffff:192.0.2.7'), '192.0.2.7');
    assert.equal(sourceOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
    assert.equal(sourceOf('2001:0DB8:1:2::6'), '2001:db8:1:2::/64');
    assert.equal(sourceOf('2001:db8::'), '2001:db8:0:0::/64');
    assert.equal(sourceOf('::1'), '0:0:0:0::/64');
    assert.equal(sourceOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
    assert.equal(sourceOf('1::2:3:4:5:192.0.2.1'), '1:0:2:3::/64');
  });
});
