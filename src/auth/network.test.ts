import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createCallerAddress, isInRange, parseRange, sourceOf } from './network.ts';

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

describe('the address of the caller behind proxies', () => {
  const callerAddress = createCallerAddress(['10.0.0.0/8', '2001:db8::/32']);
  const cases: readonly (readonly [string, string, string, string])[] = [
    ['a direct caller cannot claim anything', '192.0.2.9', 'x-forwarded-for: 198.51.100.1', '192.0.2.9'],
    ['one proxy', '10.0.0.1', 'x-forwarded-for: 198.51.100.1', '198.51.100.1'],
    [
      'what the caller wrote stands to the left',
      '10.0.0.1',
      'x-forwarded-for: 1.1.1.1, 198.51.100.1',
      '198.51.100.1',
    ],
    ['two proxies', '10.0.0.1', 'x-forwarded-for: 1.1.1.1,198.51.100.1 , 10.0.0.2', '198.51.100.1'],
    ['only proxies', '10.0.0.1', 'x-forwarded-for: 10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['mapped connection', '::ffff:10.0.0.1', 'x-forwarded-for: 198.51.100.1', '198.51.100.1'],
    ['with ports', '10.0.0.1', 'x-forwarded-for: 198.51.100.1:4711', '198.51.100.1'],
    ['IPv6 with a port', '2001:db8::1', 'x-forwarded-for: [2606:4700::1]:4711', '2606:4700::1'],
    ['IPv6', '10.0.0.1', 'x-forwarded-for: 2606:4700::1', '2606:4700::1'],
    ['what is not an address', '10.0.0.1', 'x-forwarded-for: 1.1.1.1, unknown', '10.0.0.1'],
    ['an empty header', '10.0.0.1', 'x-forwarded-for: ', '10.0.0.1'],
    ['no header', '10.0.0.1', 'other: x', '10.0.0.1'],
    [
      'RFC 7239',
      '10.0.0.1',
      'forwarded: for=1.1.1.1;proto=https, For="[2606:4700::1]:47";by=x',
      '2606:4700::1',
    ],
    ['RFC 7239, hidden', '10.0.0.1', 'forwarded: for=1.1.1.1, for=_hidden', '10.0.0.1'],
  ];
  for (const [name, connection, header, expected] of cases) {
    test(name, () => {
      const at = header.indexOf(':');
      const headers = { [header.slice(0, at)]: header.slice(at + 1).trim() };
      assert.equal(callerAddress(connection, headers), expected);
    });
  }

  test('X-Forwarded-For counts before Forwarded, and without trusted proxies nothing does', () => {
    const headers = { 'x-forwarded-for': '198.51.100.1', forwarded: 'for=1.1.1.1' };
    assert.equal(callerAddress('10.0.0.1', headers), '198.51.100.1');
    assert.equal(createCallerAddress([])('10.0.0.1', headers), '10.0.0.1');
  });
});
