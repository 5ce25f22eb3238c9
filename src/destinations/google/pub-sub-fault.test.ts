import { describe } from 'node:test';
import { reasonTable, testGuideTable } from '../guide.fixture.ts';
import type { HttpAnswer } from '../http/http-exchange.ts';
import { testReasons } from '../reasons.fixture.ts';
import { pubSubFailure, readFault } from './pub-sub-fault.ts';
import { PUB_SUB_REASONS } from './pub-sub-reasons.ts';

const context = {
  topic: 'projects/iot-records/topics/usage',
  project: 'iot-records',
  email: 'streamer@operator.iam.gserviceaccount.com',
  at: 'pubsub.googleapis.com',
  now: 0,
  secrets: [],
};

testGuideTable('pub-sub.md', 'reasons', () => reasonTable(PUB_SUB_REASONS, context));

describe('why Pub/Sub refuses', () => {
  testReasons(PUB_SUB_REASONS, context, ({ status, code, words }) => {
    const [named = '', reason = ''] = code.split(' ');
    const details = reason ? [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason }] : [];
    const error = { code: status, message: words, ...(named ? { status: named } : {}), details };
    const text =
      named === 'foreign_answer' ? `<html><body>${words}</body></html>` : JSON.stringify({ error });
    const answer: HttpAnswer = { type: 'answer', status, text, header: () => undefined };
    return pubSubFailure(answer, readFault(answer, context), context);
  });
});
