import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { maxHeaderSize } from 'node:http';
import { test } from 'node:test';
import { ANONYMOUS_BODY_LIMIT, BODY_LIMIT, REQUEST_TIMEOUT_MS } from '../src/api/app.ts';
import { LARGEST_FILTERS } from '../src/api/data-streams/body.ts';
import { MOST_STREAMS } from '../src/api/data-streams/create.ts';
import { VERIFY_TIMEOUT_MS } from '../src/api/data-streams/destination.ts';
import { MOST_REPLAYS, REPLAYS_KEPT } from '../src/api/data-streams/replay.ts';
import { LONGEST_NAME } from '../src/api/data-streams/schema.ts';
import { HOLD_MS, REFUSALS_AT_ONCE } from '../src/api/held-refusals.ts';
import { DEFAULT_PER_PAGE, MOST_LIST_BYTES, PageQuery } from '../src/api/pagination.ts';
import { MOST_PIPELINED } from '../src/api/pipelined.ts';
import { LEAST_READ_RATE, MOST_UNREAD, READ_GRACE_MS } from '../src/api/unread-answers.ts';
import { DEEPEST_BODY } from '../src/api/validation.ts';
import { MOST_TOKENS } from '../src/auth/application-tokens.ts';
import { FAILURES_TO_LOCK, LOCKOUT_MILLISECONDS } from '../src/auth/lockout.ts';
import {
  BUDGET_SECONDS,
  DEFAULT_RATE_LIMITS,
  OPERATOR_SHARE,
  TEST_RECORDS_A_MINUTE,
  WINDOW_MILLISECONDS,
} from '../src/auth/rate-limit.ts';
import { APPLICATION_TOKEN_SECONDS, REFRESH_TOKEN_SECONDS, USER_TOKEN_SECONDS } from '../src/auth/tokens.ts';
import { MOST_DEVICES, TRUST_DAYS } from '../src/auth/trusted-devices.ts';
import { MOST_USERS } from '../src/auth/users.ts';
import { SETTINGS, variableOf } from '../src/config/config.ts';
import { LEDGER_DAYS } from '../src/delivery/ledger/document.ts';
import { QUARANTINE_LIMITS } from '../src/delivery/quarantine/store.ts';
import { ATTEMPTS } from '../src/delivery/watching/activity.ts';
import { PER_STREAM } from '../src/delivery/watching/kept-exchanges.ts';
import { TEST_RECORD_TIMEOUT_MS } from '../src/delivery/watching/synthetic-record.ts';
import { LARGEST_CREDENTIALS } from '../src/destinations/configure.ts';
import {
  DEEPEST_PATH,
  LONGEST_PATH,
  LONGEST_VALUE,
  MOST_PATHS,
  MOST_VALUES,
} from '../src/filters/condition.ts';
import { DEEPEST_GROUP, MOST_ELEMENTS } from '../src/filters/parse.ts';
import { WAIT_MS } from '../src/ingest/admission.ts';
import { LARGEST_BODY } from '../src/ingest/body.ts';
import { BYTES_IN_FLIGHT } from '../src/ingest/ingest.ts';
import { MOST_COUNTED } from '../src/ingest/mapping/kept-sessions.ts';
import { IDLE_MS, LEAST_RATE } from '../src/ingest/upload.ts';
import { IDEMPOTENCY_WINDOW } from '../src/log/log.ts';
import { APART_MS } from '../src/notifications/told.ts';
import { LARGEST_RECORD, MOST_FAULTS, MOST_REJECTED, SLICE } from '../src/records/scan.ts';
import { EXPIRED_HOURS, HISTORY_LENGTH } from '../src/registry/data-stream.ts';

const bytes = (value: number) => (value >= 2 ** 20 ? `${value / 2 ** 20} MiB` : `${value / 1024} KiB`);
const seconds = (ms: number) => (ms >= 60_000 ? `${ms / 60_000} min` : `${ms / 1000} s`);
const count = (value: number) => value.toLocaleString('en');
const { anonymous, reads, writes, portal, work, traffic } = DEFAULT_RATE_LIMITS;
const perPage = PageQuery.properties.per_page as unknown as { maximum: number };

/** What, how much, what happens beyond, and the setting. */
type Row = readonly [what: string, number: string, beyond: string, setting?: keyof typeof SETTINGS];

const ROWS: readonly (string | Row)[] = [
  'Calls',
  [
    'calls that read, of an organisation’s programs',
    `${reads} a second, ${reads * 2} at once`,
    '429',
    'rateReads',
  ],
  [
    'calls that change something, of an organisation’s programs',
    `${writes} a second, ${writes * 2} at once`,
    '429',
    'rateWrites',
  ],
  ['calls of one user (the portal)', `${portal} a second, ${portal * 3} at once`, '429', 'ratePortal'],
  [
    'time that a node is busy with the calls of an organisation’s programs, or of its people',
    `${work} ms a second, ${seconds(work * BUDGET_SECONDS)} at once`,
    '429',
    'rateWork',
  ],
  [
    'time that a node is busy with calls of the operator, other than records',
    `${work * OPERATOR_SHARE} ms a second, ${seconds(work * BUDGET_SECONDS * OPERATOR_SHARE)} at once`,
    '429',
    'rateWork',
  ],
  [
    'bytes of their requests and answers',
    `${bytes(traffic * 1024)} a second, ${bytes(traffic * 1024 * BUDGET_SECONDS)} at once`,
    '429',
    'rateTraffic',
  ],
  [
    'answers with 429 to an organisation, or to an address without a token',
    `${REFUSALS_AT_ONCE} a second`,
    `each comes ${seconds(HOLD_MS)} later`,
  ],
  [
    'calls of `/api/v1/authenticate` from an address',
    `${DEFAULT_RATE_LIMITS.authenticatePerIp} in ${seconds(WINDOW_MILLISECONDS)}`,
    '429',
    'rateLogins',
  ],
  [
    'calls without a valid token from an address: pages, documents, logins, unknown paths',
    `${anonymous} a second, ${count(anonymous * BUDGET_SECONDS)} at once`,
    '429',
    'rateAnonymous',
  ],
  ['test records of an organisation', `${TEST_RECORDS_A_MINUTE} a minute`, '429'],
  [
    'failed logins of a user in a row',
    String(FAILURES_TO_LOCK),
    `401, locked for ${seconds(LOCKOUT_MILLISECONDS)}`,
  ],
  ['JSON body', bytes(BODY_LIMIT), '413'],
  ['JSON body of a call that needs no token', bytes(ANONYMOUS_BODY_LIMIT), '413'],
  ['nesting of a JSON body', `${DEEPEST_BODY} levels`, '400'],
  ['request line and headers', bytes(maxHeaderSize), '431'],
  ['answers that an organisation has not read yet', bytes(MOST_UNREAD), '429'],
  [
    'rate at which a large answer is read',
    `at least ${bytes(LEAST_READ_RATE)} a second, after ${seconds(READ_GRACE_MS)}`,
    'the connection is closed',
  ],
  ['time for a request to arrive', seconds(REQUEST_TIMEOUT_MS), '408'],
  ['items of a page', `${count(perPage.maximum)}; ${DEFAULT_PER_PAGE} if only \`page\` is given`, '422'],
  ['a list, whole', bytes(MOST_LIST_BYTES), 'the rest is in pages; `Link` has the next one'],
  ['a page', bytes(MOST_LIST_BYTES), '422, with a number of items that fits'],
  'Logins',
  ['auth token of a user', seconds(USER_TOKEN_SECONDS * 1000), '401'],
  ['refresh token of a user', `${REFRESH_TOKEN_SECONDS / 86_400} days`, '401'],
  ['auth token of an application', `${APPLICATION_TOKEN_SECONDS / 86_400} days`, '401'],
  ['application tokens of an organisation', count(MOST_TOKENS), '422'],
  ['users of an organisation', count(MOST_USERS), '422'],
  ['trust in a device of a user', `${TRUST_DAYS} days`, 'a login needs a code'],
  ['trusted devices of a user', String(MOST_DEVICES), 'a new one replaces the oldest'],
  'Data streams',
  ['data streams of an organisation', count(MOST_STREAMS), '422', 'streamsPerOrganisation'],
  ['unfinished replays of a data stream', String(MOST_REPLAYS.stream), '422'],
  ['unfinished replays of an organisation', String(MOST_REPLAYS.organisation), '422'],
  ['replays of a data stream that are kept', String(REPLAYS_KEPT), 'the oldest finished one is forgotten'],
  ['name', `${LONGEST_NAME} characters`, '422'],
  ['credentials of a stream, as a whole', bytes(LARGEST_CREDENTIALS), '422'],
  ['filters of a stream, as a whole', bytes(LARGEST_FILTERS), '422'],
  ['filters and groups of a stream', count(MOST_ELEMENTS), '422'],
  ['values in the filters of a stream', count(MOST_VALUES), '422'],
  ['groups inside groups', String(DEEPEST_GROUP), '422'],
  ['different fields in the filters of a stream', String(MOST_PATHS), '422'],
  ['path of a field', `${DEEPEST_PATH} names, ${LONGEST_PATH} characters`, '422'],
  ['fields that `privacy` of a stream drops or hashes', String(MOST_PATHS), '422'],
  ['text that a field is compared with', `${count(LONGEST_VALUE)} characters`, '422'],
  ['time for a destination to be verified', seconds(VERIFY_TIMEOUT_MS), '422'],
  ['time for a test record', seconds(TEST_RECORD_TIMEOUT_MS), 'the answer says so'],
  ['changes of state that are kept', String(HISTORY_LENGTH), 'the oldest are dropped'],
  ['attempts that are kept', String(ATTEMPTS), 'the oldest are dropped'],
  ['attempts of a stream whose request and answer are kept', String(PER_STREAM), 'the oldest are dropped'],
  ['the ledger of a stream', `${LEDGER_DAYS} days`, 'older hours are removed'],
  ['hours of expired records that are kept', String(EXPIRED_HOURS), 'the oldest are dropped'],
  [
    'quarantined records of a stream',
    `${count(QUARANTINE_LIMITS.records)}, and ${bytes(QUARANTINE_LIMITS.bytes)}`,
    'the stream goes to Error',
  ],
  'Notifications',
  ['messages about a data stream and one event', `1 in ${seconds(APART_MS)}`, 'the next one says how it is'],
  'Delivery',
  [
    'time that records are kept',
    String(SETTINGS.retention.default),
    'they expire, and are counted',
    'retention',
  ],
  ['unbroken failure', String(SETTINGS.retryWindow.default), 'the stream goes to Error', 'retryWindow'],
  'Records that are fed in',
  ['body, decoded', bytes(LARGEST_BODY), '413'],
  ['record', bytes(LARGEST_RECORD), '422'],
  ['record in a JSON array', bytes(SLICE), '422, and records behind it are not read'],
  ['white space in a row between records', bytes(SLICE), '422'],
  ['bodies that a node works on at once', bytes(BYTES_IN_FLIGHT), '503'],
  ['time that a body of more than 1 MiB waits for its turn', seconds(WAIT_MS), '503'],
  ['rate of an upload', `at least ${bytes(LEAST_RATE)} a second`, 'the connection is closed'],
  ['pause in an upload', seconds(IDLE_MS), 'the connection is closed'],
  [
    'requests that wait on one connection for the one before',
    count(MOST_PIPELINED),
    'the connection is closed',
  ],
  ['faults that an answer explains', String(MOST_FAULTS), 'the others are counted'],
  ['sessions of a request with cumulative counters', count(MOST_COUNTED), '413'],
  ['records that `invalid=skip` skips', count(MOST_REJECTED), '422'],
  [
    'time that an `Idempotency-Key` is remembered',
    `at least ${IDEMPOTENCY_WINDOW / 3_600_000 - 1} h`,
    'a repeated request is stored again',
  ],
];

/** `UPDATE_DOCS=1` writes what this compares. */
test('docs/limits.md has the numbers of the source', () => {
  const rows = ROWS.map((row) => {
    if (typeof row === 'string') return `| **${row}** | | | |`;
    const [what, number, beyond, setting] = row;
    return `| ${what} | ${number} | ${beyond} | ${setting ? `\`${variableOf(setting)}\`` : ''} |`;
  });
  const table = ['| limit | number | beyond it | setting |', '| --- | --- | --- | --- |', ...rows].join('\n');
  const text = readFileSync('docs/limits.md', 'utf8');
  const between = /(<!-- limits -->\n)([\s\S]*?)(<!-- \/limits -->)/;
  if (process.env.UPDATE_DOCS) {
    writeFileSync(
      'docs/limits.md',
      text.replace(between, (_, open, _old, close) => `${open}${table}\n${close}`),
    );
  } else {
    assert.equal(
      between.exec(text)?.[2],
      `${table}\n`,
      'run UPDATE_DOCS=1 npx node --test tests/limits.test.ts',
    );
  }
});
