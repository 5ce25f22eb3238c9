import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { answerText } from './answer-text.ts';

const TEXT = `{"message":"${'Zu große Anfrage. '.repeat(30)}"}`;

describe('the text of an answer', () => {
  test('as it is, without a body, in an unknown encoding', () => {
    assert.equal(answerText(Buffer.from(TEXT), undefined), TEXT);
    assert.equal(answerText(Buffer.from(TEXT), 'identity'), TEXT);
    assert.equal(answerText(Buffer.from(TEXT), 'constructor'), TEXT);
    assert.equal(answerText(undefined, 'gzip'), '');
  });

  for (const [encoding, pack] of [
    ['gzip', gzipSync],
    [' X-GZIP', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ] as const) {
    test(`compressed unasked: ${encoding}`, () => {
      const packed = pack(TEXT);
      assert.equal(answerText(packed, encoding), TEXT);
      const cut = answerText(packed.subarray(0, packed.length - 12), encoding);
      assert.ok(TEXT.startsWith(cut), 'what is there of a body that was cut');
      assert.equal(answerText(Buffer.from('no such thing'), encoding), '');
    });
  }

  test('a small body that unpacks to a huge one is not shown', () => {
    assert.equal(answerText(gzipSync(Buffer.alloc(5 * 2 ** 20)), 'gzip'), '');
  });
});
