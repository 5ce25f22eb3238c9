import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readFault, xmlText } from './fault.ts';

const none = () => undefined;

describe('errors of AWS', () => {
  test('JSON with a namespaced type', () => {
    const text =
      '{"__type":"com.amazonaws.kinesis.v20131202#ResourceNotFoundException","message":"Stream x\\nnot found"}';
    assert.deepEqual(readFault(400, text, none), {
      status: 400,
      code: 'ResourceNotFoundException',
      words: 'Stream x not found',
    });
  });

  test('JSON whose type is in a header', () => {
    const header = (name: string) =>
      name === 'x-amzn-errortype' ? 'AccessDeniedException:http://x/' : undefined;
    const fault = readFault(400, '{"Message":"no"}', header);
    assert.deepEqual([fault.code, fault.words], ['AccessDeniedException', 'no']);
  });

  test('XML, with a region in the body or in a header', () => {
    const text =
      '<?xml version="1.0"?>\n<Error><Code>PermanentRedirect</Code><Message>a &amp; b &#x27;c&apos;</Message><Region>us-east-2</Region></Error>';
    assert.deepEqual(readFault(301, text, none), {
      status: 301,
      code: 'PermanentRedirect',
      words: "a & b 'c'",
      region: 'us-east-2',
    });
    assert.equal(
      readFault(301, '', (name) => (name === 'x-amz-bucket-region' ? 'eu-west-3' : undefined)).region,
      'eu-west-3',
    );
  });

  for (const text of [
    '',
    'Bad Gateway',
    '<html><body>no</body></html>',
    '{"broken',
    '[1]',
    'null',
    '{"__type":{"a":1}}',
  ]) {
    test(`no error of AWS: ${text}`, () => {
      assert.deepEqual(readFault(502, text, none), { status: 502, code: 'http_502', words: '' });
    });
  }

  test('a code that is not a name is not shown: it would become a label', () => {
    assert.equal(readFault(400, `{"__type":"${'x'.repeat(90)}"}`, none).code, 'http_400');
    assert.equal(readFault(400, '<Code>a b</Code>', none).code, 'http_400');
  });

  test('words are shortened, and what looks like a key is not shown', () => {
    const { words } = readFault(400, `{"message":"key AKIA0123456789ABCDEF ${'x'.repeat(600)}"}`, none);
    assert.ok(words.length <= 401 && words.startsWith('key *** x'), words);
  });

  test('entities that are none', () => {
    assert.equal(xmlText('<Message>&unknown; &#9999999999;</Message>', 'Message'), '&unknown; &#9999999999;');
  });
});
