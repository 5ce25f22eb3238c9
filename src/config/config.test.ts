import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fc } from '../lib/property.fixture.ts';
import { type Config, configurationTable, flagOf, SETTING_NAMES, SETTINGS, variableOf } from './config.ts';
import { readConfig } from './read-config.ts';

const SECRET = Buffer.alloc(32, 7).toString('base64');

function accepted(flags: Parameters<typeof readConfig>[0], environment: Record<string, string> = {}): Config {
  const outcome = readConfig(flags, environment);
  assert.ok('config' in outcome, 'mistakes' in outcome ? outcome.mistakes.join('\n') : '');
  return outcome.config;
}

function refused(environment: Record<string, string>, flags = {}): readonly string[] {
  const outcome = readConfig(flags, environment);
  assert.ok('mistakes' in outcome, 'the configuration was accepted');
  return outcome.mistakes;
}

describe('the defaults', () => {
  test('are those of the documentation', () => {
    const { secret, secretPrevious, operatorToken, ...rest } = accepted({});
    assert.deepEqual([secret, secretPrevious, operatorToken], [undefined, undefined, undefined]);
    assert.deepEqual(rest, {
      host: '127.0.0.1',
      port: 8080,
      trustProxy: [],
      rateLogins: 100,
      rateRequests: 0,
      rateAnonymous: 50,
      rateReads: 10,
      rateWrites: 10,
      ratePortal: 20,
      rateWork: 100,
      rateTraffic: 4096,
      secretLost: false,
      dataDir: './data',
      natsUrl: [],
      natsReplicas: 1,
      partitions: 16,
      retention: 604_800_000,
      auditRetention: 90 * 86_400_000,
      retryWindow: 86_400_000,
      allowDestinations: [],
      verifyDestinations: true,
      nameServers: [],
      egressProxy: 'off',
      cloudGrants: [],
      streamsPerOrganisation: 100,
      sourceNatsUrl: [],
      sourceNatsSubjects: [],
      sourceMqttTopics: [],
      logLevel: 'info',
    });
  });

  test('an empty variable counts as unset', () => {
    assert.equal(accepted({}, { SIMSTREAM_PORT: '', SIMSTREAM_SECRET: '' }).port, 8080);
    assert.equal(accepted({}, { SIMSTREAM_DATA_DIR: ' \r' }).dataDir, './data');
  });
});

describe('a value', () => {
  test('comes from its variable, and its flag goes before it', () => {
    assert.equal(accepted({}, { SIMSTREAM_DATA_DIR: '/a' }).dataDir, '/a');
    assert.equal(accepted({ dataDir: '/b' }, { SIMSTREAM_DATA_DIR: '/a' }).dataDir, '/b');
  });

  test('has no blanks or line ends around it, which files with variables leave', () => {
    const config = accepted({}, { SIMSTREAM_DATA_DIR: ' /a b\r', SIMSTREAM_HOST: '::1 ' });
    assert.deepEqual([config.dataDir, config.host], ['/a b', '::1']);
    const token = accepted({}, { SIMSTREAM_OPERATOR_TOKEN: 'a-token-of-enough-length\r\n' }).operatorToken;
    assert.equal(token, 'a-token-of-enough-length');
  });

  test('of a source is a list, and its settings belong together', () => {
    const source = {
      sourceNatsUrl: 'nats://a:4222',
      sourceNatsSubjects: 'usage=cdr.usage.>, radius-accounting=aaa.*',
      sourceNatsRejected: 'cdr.rejected',
    };
    assert.deepEqual(accepted(source).sourceNatsSubjects, [
      { holds: 'usage', address: 'cdr.usage.>' },
      { holds: 'radius-accounting', address: 'aaa.*' },
    ]);
    const mistakesOf = (flags: object) => {
      const outcome = readConfig(flags, {});
      return 'mistakes' in outcome ? outcome.mistakes.join('\n') : '';
    };
    assert.match(
      mistakesOf({ ...source, sourceNatsRejected: undefined }),
      /SIMSTREAM_SOURCE_NATS_URL needs SIMSTREAM_SOURCE_NATS_REJECTED/,
    );
    assert.match(
      mistakesOf({ sourceMqttTopics: 'usage=a' }),
      /SOURCE_MQTT_TOPICS needs SIMSTREAM_SOURCE_MQTT_URL and SIMSTREAM_SOURCE_MQTT_REJECTED/,
    );
    for (const wrong of ['cdr.usage', 'usage=', '=cdr', 'usage=a b', 'usage=a,events=a'])
      assert.match(mistakesOf({ ...source, sourceNatsSubjects: wrong }), /source-nats-subjects/, wrong);
    assert.match(mistakesOf({ ...source, sourceNatsRejected: 'cdr.*' }), /source-nats-rejected/);
    const secretive = mistakesOf({ sourceMqttUrl: 'http://user:hunter2@a', sourceMqttTopics: 'usage=a' });
    assert.match(secretive, /source-mqtt-url/);
    assert.doesNotMatch(secretive, /hunter2/);
  });

  test('of every kind is read', () => {
    const config = accepted({
      natsUrl: 'nats://a:4222, b:4223,tls://c:4222',
      secret: SECRET,
      allowDestinations: '127.0.0.0/8, ::1/128,10.1.2.3',
      verifyDestinations: 'FALSE',
      retention: '14d',
      logLevel: 'debug',
    });
    assert.deepEqual(config.natsUrl, ['nats://a:4222', 'nats://b:4223', 'tls://c:4222']);
    assert.deepEqual(config.secret, Buffer.alloc(32, 7));
    assert.deepEqual(config.allowDestinations, ['127.0.0.0/8', '::1/128', '10.1.2.3/32']);
    assert.equal(config.verifyDestinations, false);
    assert.equal(config.retention, 14 * 86_400_000);
    assert.equal(config.logLevel, 'debug');
  });
});

describe('mistakes', () => {
  test('are reported all at once, each with what was wrong and what is allowed', () => {
    const mistakes = refused(
      {
        SIMSTREAM_PORT: '80a',
        SIMSTREAM_PARTITIONS: '0',
        SIMSTREAM_RETENTION: '7 days',
        SIMSTREAM_ALLOW_DESTINATIONS: '10.0.0.0/33',
        SIMSTREAM_VERIFY_DESTINATIONS: 'maybe',
        SIMSTREAM_LOG_LEVEL: 'loud',
        SIMSTREAM_NATS_URL: 'http://x',
      },
      { natsReplicas: '9' },
    );
    assert.equal(mistakes.length, 8);
    assert.match(mistakes.join('\n'), /SIMSTREAM_PORT is "80a"; allowed: a port, 0 to 65535/);
    assert.match(mistakes.join('\n'), /--nats-replicas is "9"; allowed: a whole number, 1 to 5/);
    assert.match(mistakes.join('\n'), /SIMSTREAM_RETENTION is "7 days"; allowed: a duration such as/);
    for (const mistake of mistakes) assert.match(mistake, /allowed: /);
  });

  test('never repeat a secret', () => {
    const wrong = Buffer.from('not thirty-two bytes').toString('base64');
    const mistakes = refused({
      SIMSTREAM_SECRET: wrong,
      SIMSTREAM_SECRET_PREVIOUS: '***hush-hush***',
      SIMSTREAM_NATS_URL: 'http://user:hush@host',
      SIMSTREAM_OPERATOR_TOKEN: 'hush hush',
    });
    assert.equal(mistakes.length, 4);
    assert.doesNotMatch(mistakes.join('\n'), new RegExp(`hush|${wrong}`));
    assert.match(mistakes[1] ?? mistakes.join(), /base64/);
  });

  test('include quotes around a value, lists of nothing, and addresses that nobody has', () => {
    for (const [variable, value] of [
      ['SIMSTREAM_DATA_DIR', '"/data"'],
      ['SIMSTREAM_OPERATOR_TOKEN', "'a-token-of-enough-length'"],
      ['SIMSTREAM_NATS_URL', ','],
      ['SIMSTREAM_NAME_SERVERS', ' , '],
      ['SIMSTREAM_NAME_SERVERS', '[1.1.1.1]:53'],
      ['SIMSTREAM_NAME_SERVERS', '1.1.1.1:0'],
      ['SIMSTREAM_NAME_SERVERS', '1.1.1.1:65536'],
      ['SIMSTREAM_NOTIFICATION_URL', 'http://:::'],
      ['SIMSTREAM_NOTIFICATION_URL', 'ftp://example.com/'],
      ['SIMSTREAM_SOURCE_MQTT_URL', 'mqtt://['],
      ['SIMSTREAM_SOURCE_NATS_SUBJECTS', 'usage=a..b'],
      ['SIMSTREAM_SOURCE_NATS_SUBJECTS', 'usage=a.>.b'],
      ['SIMSTREAM_SOURCE_NATS_SUBJECTS', 'usage=a.x*'],
      ['SIMSTREAM_SOURCE_NATS_REJECTED', 'a..b'],
      ['SIMSTREAM_SOURCE_MQTT_TOPICS', 'usage=a#'],
      ['SIMSTREAM_SOURCE_MQTT_TOPICS', 'usage=b+/c'],
      ['SIMSTREAM_NOTIFICATION_SECRET', 'whsec_!!!!!!!!'],
      ['SIMSTREAM_HOST', '127.0.0.1:9000'],
      ['SIMSTREAM_HOST', 'a..b'],
      ['SIMSTREAM_DATA_DIR', '~/data'],
    ] as const) {
      const [mistake = '', ...others] = refused({ [variable]: value });
      assert.ok(mistake.startsWith(`${variable} `), `${variable}=${value}: ${mistake}`);
      assert.deepEqual(others, []);
      assert.doesNotMatch(mistake, /enough|:::|mqtt:\/\/\[/);
    }
    const config = accepted({}, { SIMSTREAM_NAME_SERVERS: '1.1.1.1,[2001:db8::1]:5353,2001:db8::2' });
    assert.equal(config.nameServers.length, 3);
    for (const host of ['::1', 'fe80::1%eth0', 'node-1.example', 'localhost', '0.0.0.0'])
      assert.equal(accepted({}, { SIMSTREAM_HOST: host }).host, host);
  });

  test('include what contradicts itself', () => {
    assert.match(refused({ SIMSTREAM_NATS_URL: 'nats://a:1' }).join(), /SIMSTREAM_SECRET is required/);
    assert.match(refused({ SIMSTREAM_SECRET_PREVIOUS: SECRET }).join(), /needs SIMSTREAM_SECRET/);
    const ports = { SIMSTREAM_PORT: '9000', SIMSTREAM_OPERATOR_PORT: '9000' };
    assert.match(refused(ports).join(), /OPERATOR_PORT is 9000, the same as SIMSTREAM_PORT/);
    accepted({}, { ...ports, SIMSTREAM_OPERATOR_HOST: '10.0.0.1' });
    const sources = [
      ['NATS_URL', 'nats://a', 'NATS_SUBJECTS', 'NATS_REJECTED', 'cdr.>', 'cdr.rejected', 'cdr'],
      ['NATS_URL', 'nats://a', 'NATS_SUBJECTS', 'NATS_REJECTED', 'cdr.*.in', 'cdr.x.in', 'cdr.x.y.in'],
      ['MQTT_URL', 'mqtt://a', 'MQTT_TOPICS', 'MQTT_REJECTED', 'cdr/#', 'cdr', 'cdrs'],
      ['MQTT_URL', 'mqtt://a', 'MQTT_TOPICS', 'MQTT_REJECTED', 'cdr/+', 'cdr/rejected', 'cdr/a/b'],
    ] as const;
    for (const [url, server, addresses, rejected, read, circle, apart] of sources) {
      const settings = (to: string) => ({
        [`SIMSTREAM_SOURCE_${url}`]: server,
        [`SIMSTREAM_SOURCE_${addresses}`]: `usage=${read}`,
        [`SIMSTREAM_SOURCE_${rejected}`]: to,
      });
      assert.match(refused(settings(circle)).join(), /would come back for ever/, circle);
      accepted({}, settings(apart));
    }
  });

  test('of any text are mistakes, never a crash', () => {
    const record = fc.record(Object.fromEntries(SETTING_NAMES.map((name) => [name, fc.string()])), {
      requiredKeys: [],
    });
    fc.assert(
      fc.property(record, (flags) => {
        const outcome = readConfig(flags, {});
        assert.ok('config' in outcome || outcome.mistakes.length > 0);
      }),
    );
  });
});

test('what is odd is a warning', () => {
  const outcome = readConfig(
    { retention: '1h' },
    { SIMSTREAM_RETENTON: '7d', SIMSTREAM_OPERATOR_TOKEN: 'short', PATH: '/' },
  );
  assert.ok('config' in outcome);
  assert.equal(outcome.warnings.length, 3);
  assert.match(outcome.warnings.join(), /RETRY_WINDOW is longer than SIMSTREAM_RETENTION/);
  assert.match(outcome.warnings.join(), /SIMSTREAM_RETENTON is not a variable/);
  assert.doesNotMatch(outcome.warnings.join(), /short[^e]/);
});

test('a secret that is not random is a warning that does not repeat it', () => {
  const warningsOf = (bytes: Buffer) => {
    const outcome = readConfig({}, { SIMSTREAM_SECRET: bytes.toString('base64') });
    assert.ok('config' in outcome);
    return outcome.warnings;
  };
  for (const weak of [
    Buffer.alloc(32),
    Buffer.from('password'.repeat(4)),
    Buffer.from('0123456789'.repeat(4).slice(0, 32)),
  ]) {
    const [warning = '', ...others] = warningsOf(weak);
    assert.match(warning, /^SIMSTREAM_SECRET is not random/);
    assert.deepEqual(others, []);
    assert.ok(!warning.includes(weak.toString('base64')));
  }
  for (let round = 0; round < 50; round++) assert.deepEqual(warningsOf(randomBytes(32)), []);
});

test('variables and flags have the same names', () => {
  assert.equal(variableOf('secretPrevious'), 'SIMSTREAM_SECRET_PREVIOUS');
  assert.equal(flagOf('natsUrl'), '--nats-url');
  for (const name of SETTING_NAMES) {
    assert.equal(variableOf(name), `SIMSTREAM_${flagOf(name).slice(2).replaceAll('-', '_').toUpperCase()}`);
    assert.ok(SETTINGS[name].meaning.length > 10, name);
  }
});

/** `UPDATE_DOCS=1 npm run test:unit` writes what this compares. */
test('docs/configuration.md holds the table', () => {
  const file = new URL('../../docs/configuration.md', import.meta.url);
  const text = readFileSync(file, 'utf8');
  const between = /(<!-- table -->\n)([\s\S]*?)(\n<!-- \/table -->)/;
  if (process.env.UPDATE_DOCS)
    writeFileSync(
      file,
      text.replace(between, (_, open, _old, close) => `${open}${configurationTable()}${close}`),
    );
  else assert.equal(between.exec(text)?.[2], configurationTable(), 'run UPDATE_DOCS=1 npm run test:unit');
});
