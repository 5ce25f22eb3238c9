import { describe } from 'node:test';
import { reasonTable, testGuideTable } from '../guide.fixture.ts';
import type { HttpAnswer } from '../http/http-exchange.ts';
import { testReasons } from '../reasons.fixture.ts';
import { type HubConnection, parseConnectionString } from './event-hubs-connection.ts';
import { HUB_REASONS, hubFailure } from './event-hubs-fault.ts';

const ENDPOINT = 'Endpoint=sb://iot.servicebus.windows.net/;EntityPath=usage';
const hubOf = (access: string) => parseConnectionString(`${ENDPOINT};${access}`) as HubConnection;
const BY_KEY = hubOf('SharedAccessKeyName=send;SharedAccessKey=a2V5');
const BY_SIGNATURE = hubOf('SharedAccessSignature=SharedAccessSignature sr=x&sig=y&se=1&skn=send');
const context = { hub: BY_KEY, now: 0, secrets: [] };

testGuideTable('event-hubs.md', 'reasons', () => reasonTable(HUB_REASONS, context));

describe('why Event Hubs refuses', () => {
  testReasons(HUB_REASONS, context, ({ status, code, words }) => {
    const hub = code === 'SIGNATURE' ? BY_SIGNATURE : BY_KEY;
    const text =
      code === 'foreign_answer'
        ? `<html><body>${words}</body></html>`
        : `<Error><Code>${status}</Code><Detail>${words}</Detail></Error>`;
    const answer: HttpAnswer = { type: 'answer', status, text, header: () => undefined };
    const failure = hubFailure(answer, { ...context, hub });
    if (!failure) throw new Error('taken');
    return failure;
  });
});
