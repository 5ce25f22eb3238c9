import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fc } from '../../lib/property.fixture.ts';
import { configureDestination } from '../configure.ts';
import { MASK, maskCredentials } from '../masking.ts';
import { eventHubs } from './event-hubs.ts';

const KEY = 'c2VuZC1rZXktdGhhdC1ub2JvZHktbWF5LXNlZQ==';

describe('EventHubs: connection string', () => {
  const GOOD = `Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=${KEY};EntityPath=usage`;
  const configure = (connection_string: unknown, partition_key?: unknown) =>
    configureDestination(eventHubs, { connection_string, partition_key });

  test('parts come in any order and case of names; others are ignored', () => {
    for (const text of [
      GOOD,
      `${GOOD};`,
      ` entitypath = usage ; SHAREDACCESSKEY=${KEY};TransportType=Amqp;endpoint=sb://ns.servicebus.windows.net;sharedaccesskeyname=send`,
    ]) {
      const result = configure(text);
      assert.ok(result.type === 'configured', JSON.stringify(result));
      assert.equal(result.configured.target, 'eventhubs://ns.servicebus.windows.net/usage');
      assert.equal(result.configured.identity, 'eventhubs:ns.servicebus.windows.net');
      assert.equal(result.credentials.partition_key, 'none');
    }
  });

  const faults: [string, string, RegExp][] = [
    ['no EntityPath', GOOD.replace(';EntityPath=usage', ''), /has no EntityPath: add .*of the namespace/],
    ['an empty EntityPath', GOOD.replace('usage', ''), /has no EntityPath/],
    ['an EntityPath with a slash', GOOD.replace('usage', 'a/b'), /not the name of an event hub/],
    ['no Endpoint', GOOD.replace(/^.*?;/, ''), /has no Endpoint/],
    ['an Endpoint that is none', GOOD.replace('sb://', ''), /an Endpoint that is not like/],
    ['an Endpoint with a password', GOOD.replace('sb://', 'sb://me:pw@'), /an Endpoint that is not like/],
    ['no key name', GOOD.replace('SharedAccessKeyName=send;', ''), /has no SharedAccessKeyName/],
    ['no key', GOOD.replace(/SharedAccessKey=[^;]*;/, ''), /has no SharedAccessKey:/],
    ['a key with a blank', GOOD.replace(KEY, `${KEY} x`), /a SharedAccessKey with characters/],
    [
      'a signature that is none',
      GOOD.replace(/SharedAccessKeyName.*?;EntityPath/, 'SharedAccessSignature=sr;EntityPath'),
      /does not look like/,
    ],
    [
      'key and signature',
      `${GOOD};SharedAccessSignature=x`,
      /both a SharedAccessKey and a SharedAccessSignature/,
    ],
    ['two of a name', `${GOOD};entitypath=x`, /two parts with the name of part 5/],
    ['a piece without a name', `${GOOD};${KEY.slice(0, 12)}`, /part 5 is none/],
    ['a text of another kind', 'https://example.com/', /part 1 is none/],
  ];
  for (const [name, text, words] of faults) {
    test(`${name} is a fault of connection_string that shows no key`, () => {
      const result = configure(text);
      assert.ok(result.type === 'invalid', JSON.stringify(result));
      assert.deepEqual(
        result.faults.map(({ path }) => path),
        ['/destination/credentials/connection_string'],
      );
      assert.match(result.faults[0]?.message ?? '', words);
      assert.doesNotMatch(JSON.stringify(result), /c2VuZC1r/);
    });
  }

  test('anything is parsed or a fault, and no fault shows a piece of it', () => {
    const part = fc.tuple(
      fc.constantFrom('Endpoint', 'SharedAccessKey', 'SharedAccessKeyName', 'EntityPath', 'x', ''),
      fc.constantFrom('=', '', ' = '),
      fc.stringMatching(/^[!-~]{12,20}$/),
    );
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const text = parts.map((each) => each.join('')).join(';');
        const result = configure(text);
        for (const [, , value] of parts) {
          if (result.type === 'invalid') assert.ok(!JSON.stringify(result.faults).includes(value));
        }
      }),
    );
  });

  test('the mask of a key sent back keeps it, unless the namespace is another', () => {
    const stored = configure(GOOD);
    assert.ok(stored.type === 'configured');
    const { credentials, configured } = stored;
    const masked = maskCredentials(eventHubs.credentials, credentials);
    assert.equal(masked.connection_string, GOOD.replace(KEY, MASK));
    const again = (text: unknown) =>
      configureDestination(eventHubs, { connection_string: text }, 'Json', {
        credentials,
        identity: configured.identity,
        format: 'Json',
      });
    const kept = again(masked.connection_string);
    assert.ok(kept.type === 'configured' && kept.credentials.connection_string === GOOD);
    assert.equal(again(String(masked.connection_string).replace('=usage', '=events')).type, 'configured');
    const elsewhere = again(String(masked.connection_string).replace('ns.', 'other.'));
    assert.ok(elsewhere.type === 'invalid' && elsewhere.faults[0]?.token === 'Required');
  });

  test('partition_key is one of two', () => {
    const result = configure(GOOD, 'iccid');
    assert.ok(result.type === 'invalid');
    assert.equal(result.faults[0]?.path, '/destination/credentials/partition_key');
  });
});
