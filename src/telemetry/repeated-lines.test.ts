import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLogger } from '../cli/logger.ts';
import { ManualClock } from '../lib/manual-clock.fixture.ts';
import { RepeatedLines } from './repeated-lines.ts';

function start(level: 'info' | 'debug' = 'info', most?: number) {
  const lines: { msg: string; level: string; repeats?: number; records?: number }[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const clock = new ManualClock();
  const logger = createLogger({ level, readable: false, destination });
  return { lines, clock, repeated: new RepeatedLines(logger, clock, most) };
}

describe('lines that repeat', () => {
  test('are written once, then as one line a minute, and every record is counted', async () => {
    const { lines, clock, repeated } = start();
    let records = 0;
    for (let n = 0; n < 47 * 60 * 2; n++) {
      repeated.write('a', 'warn', { records: 2 }, `refused ${n}`);
      records += 2;
      await clock.advance(500);
    }
    await clock.advance(60_000);
    repeated.settle();
    assert.ok(lines.length <= 49, `${lines.length} lines`);
    assert.equal(
      lines.reduce((sum, line) => sum + (line.records ?? 0), 0),
      records,
    );
    assert.deepEqual([lines[0]?.msg, lines[0]?.level], ['refused 0', 'warn']);
    assert.equal(lines[1]?.msg, '119 more in a minute, the last: refused 119');
  });

  test('of different kinds are told apart; one that does not come again is forgotten', async () => {
    const { lines, clock, repeated } = start();
    repeated.write('a', 'warn', {}, 'a');
    repeated.write('b', 'info', {}, 'b');
    await clock.advance(60_000);
    repeated.settle();
    repeated.write('a', 'warn', {}, 'a again');
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['a', 'b', 'a again'],
    );
  });

  test('are each on debug', () => {
    const { lines, repeated } = start('debug');
    repeated.write('a', 'warn', {}, 'first');
    repeated.write('a', 'warn', {}, 'second');
    assert.deepEqual(
      lines.map(({ level, msg }) => [level, msg]),
      [
        ['warn', 'first'],
        ['debug', 'second'],
      ],
    );
  });

  test('take bounded memory, and what has to go is written', () => {
    const { lines, repeated } = start('info', 2);
    for (const kind of ['a', 'a', 'b', 'c', 'd']) repeated.write(kind, 'info', {}, kind);
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['a', 'b', '1 more in a minute, the last: a', 'c', 'd'],
    );
  });
});
