import { sampleIdsIn } from '../batches.fixture.ts';
import { testHostile } from '../hostile.fixture.ts';
import { type Behaviour, PROXY_PAGE, says } from '../hostile-rows.fixture.ts';
import { unpack } from '../vendor.fixture.ts';
import { datadog } from './datadog.ts';

const error = (status: number, words: string, headers = {}): Behaviour =>
  says(status, JSON.stringify({ errors: [words] }), headers);
const forbidden = error(403, 'Forbidden');

/** Events, since metrics carry no ids of records; held-sums.test.ts and datadog.test.ts show what becomes of usage. */
testHostile({
  type: datadog,
  guide: 'datadog.md',
  kind: 'event',
  credentials: () => ({ api_key: '0123456789abcdef0123456789abcdef', region: 'EU' }),
  variables: (port) => ({ DD_URL: `http://127.0.0.1:${port}` }),
  take: (taken) => (request, response) => {
    taken.push(...sampleIdsIn(unpack(request).text));
    response.writeHead(202).end('{}');
  },
  rows: [
    PROXY_PAGE,
    {
      what: 'throttles (429)',
      answers: [error(429, 'Too many requests', { 'x-ratelimit-reset': '7' })],
      type: 'retry',
      reads: /429/,
    },
    {
      what: 'the key was revoked, and restored',
      answers: [forbidden, forbidden],
      type: 'refused',
      reads: /belongs to region EU/,
    },
    {
      what: 'the key belongs to another site, for good',
      answers: [error(401, 'Unauthorized')],
      lasting: true,
      type: 'refused',
      reads: /belongs to region EU/,
    },
    {
      what: 'has no such path (404), for good',
      answers: [error(404, 'Not found')],
      lasting: true,
      type: 'refused',
      reads: /404/,
    },
    { what: 'takes too long (408)', answers: [error(408, 'Request timeout')], type: 'retry', reads: /408/ },
    {
      what: 'refuses one record of ten, always (400)',
      answers: [
        (request, response, take) => {
          if (unpack(request).text.includes('9007199254740996'))
            error(400, 'Invalid entry')(request, response, take, []);
          else take(request, response);
        },
      ],
      lasting: true,
      type: 'rejected',
      reads: /Invalid entry/,
    },
    {
      what: 'answers 202, and its body never ends',
      answers: [
        (request, response, take) => {
          take(request, { writeHead: () => ({ end: () => {} }) } as never);
          response.writeHead(202).write('{');
        },
      ],
      waits: true,
      type: 'delivered',
      reads: /^$/,
    },
    {
      what: 'redirects, for good (307)',
      answers: [says(307, '', { location: 'https://elsewhere.example/' })],
      lasting: true,
      type: 'refused',
      reads: /redirects to elsewhere/,
    },
  ],
});
