import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { addressRule } from './addresses.ts';

const rule = addressRule([]);

const FORBIDDEN: readonly (readonly [address: string, kind: string])[] = [
  ['127.0.0.1', 'loopback'],
  ['127.255.255.254', 'loopback'],
  ['::1', 'loopback'],
  ['0:0:0:0:0:0:0:1', 'loopback'],
  ['0.0.0.0', 'unspecified'],
  ['0.1.2.3', 'unspecified'],
  ['::', 'unspecified'],
  ['10.0.0.1', 'private'],
  ['172.16.0.1', 'private'],
  ['172.31.255.255', 'private'],
  ['192.168.1.1', 'private'],
  ['fc00::1', 'private'],
  ['fdff:1234::1', 'private'],
  ['fec0::1', 'private'],
  ['169.254.1.1', 'link-local'],
  ['fe80::1', 'link-local'],
  ['fe80::1%eth0', 'link-local'],
  ['169.254.169.254', 'cloud metadata'],
  ['fd00:ec2::254', 'cloud metadata'],
  ['100.100.100.200', 'cloud metadata'],
  ['168.63.129.16', 'cloud platform'],
  ['100.64.0.1', 'carrier-grade NAT'],
  ['100.127.255.255', 'carrier-grade NAT'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['ff02::1', 'multicast'],
  ['192.0.2.1', 'documentation'],
  ['198.51.100.7', 'documentation'],
  ['203.0.113.7', 'documentation'],
  ['2001:db8::1', 'documentation'],
  ['3fff::1', 'documentation'],
  ['198.18.0.1', 'benchmark'],
  ['198.19.255.255', 'benchmark'],
  ['2001:2::1', 'benchmark'],
  ['192.0.0.192', 'reserved'],
  ['240.0.0.1', 'reserved'],
  ['255.255.255.255', 'reserved'],
  ['100::1', 'reserved'],
  ['5f00::1', 'reserved'],
  ['64:ff9b:1::808:808', 'reserved'],
  ['::7f00:1', 'reserved'],
  ['::127.0.0.1', 'reserved'],
  ['::ffff:127.0.0.1', 'loopback'],
  ['::ffff:7f00:1', 'loopback'],
  ['::FFFF:10.1.2.3', 'private'],
  ['0:0:0:0:0:ffff:a9fe:a9fe', 'cloud metadata'],
  ['::ffff:0:127.0.0.1', 'loopback'],
  ['64:ff9b::10.0.0.1', 'private'],
  ['64:ff9b::a9fe:a9fe', 'cloud metadata'],
  ['2002:7f00:1::1', 'loopback'],
  ['2002:c0a8:101::', 'private'],
  // Teredo: the server is 8.8.8.8, the client is 10.0.0.1; then the other way round.
  ['2001:0:808:808:0:0:f5ff:fffe', 'private'],
  ['2001:0:a00:1:0:0:f7f7:f7f7', 'private'],
  ['', 'no IP'],
  ['example.com', 'no IP'],
  ['2130706433', 'no IP'],
  ['127.1', 'no IP'],
  ['0177.0.0.1', 'no IP'],
];

const ALLOWED = [
  '8.8.8.8',
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001:80b::200e',
  '::ffff:8.8.8.8',
  '64:ff9b::8.8.8.8',
  '2002:808:808::1',
  '2001:0:808:808:0:0:f7f7:f7f7',
];

describe('addresses that destinations may have', () => {
  for (const [address, kind] of FORBIDDEN) {
    test(`${address || '(nothing)'} is forbidden: ${kind}`, () => assert.equal(rule.forbids(address), kind));
  }

  for (const address of ALLOWED) {
    test(`${address} may be reached`, () => assert.equal(rule.forbids(address), undefined));
  }

  test('what the operator allows may be reached, in any of its forms, and nothing beside it', () => {
    const open = addressRule(['127.0.0.0/8', '::1/128', '10.1.2.3', 'fd00:1::/32']);
    for (const address of [
      '127.0.0.1',
      '::1',
      '10.1.2.3',
      'fd00:1::5',
      '::ffff:127.0.0.1',
      '64:ff9b::10.1.2.3',
    ]) {
      assert.equal(open.forbids(address), undefined, address);
    }
    for (const address of ['10.1.2.4', 'fd00:2::5', '169.254.169.254', '::ffff:10.1.2.4']) {
      assert.notEqual(open.forbids(address), undefined, address);
    }
  });

  test('everything may be allowed', () => {
    const open = addressRule(['0.0.0.0/0', '::/0']);
    for (const [address, kind] of FORBIDDEN) {
      if (kind !== 'no IP') assert.equal(open.forbids(address), undefined, address);
    }
  });

  test('what is not a range is a mistake of the caller', () => {
    for (const text of ['10.0.0.0/33', '::/129', 'x', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/-1']) {
      assert.throws(() => addressRule([text]), /address|prefix/, text);
    }
  });

  test('an IPv4 address is judged alike in each form that an IPv6 address can carry it in', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
        const hex = (high: number, low: number) => ((high << 8) | low).toString(16);
        const kind = rule.forbids(address);
        assert.equal(rule.forbids(`::ffff:${address}`), kind);
        assert.equal(rule.forbids(`::ffff:${hex(a, b)}:${hex(c, d)}`), kind);
        assert.equal(rule.forbids(`64:ff9b::${address}`), kind);
        assert.equal(rule.forbids(`2002:${hex(a, b)}:${hex(c, d)}::1`), kind);
      }),
    );
  });

  test('any text gets an answer', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.ipV6()), (text) => void rule.forbids(text)));
  });
});
