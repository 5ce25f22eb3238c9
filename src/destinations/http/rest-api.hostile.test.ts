import { sampleIdsIn } from '../batches.fixture.ts';
import { testHostile } from '../hostile.fixture.ts';
import { says } from '../hostile-rows.fixture.ts';
import { restApi } from './rest-api.ts';

testHostile({
  type: restApi,
  guide: 'rest-api.md',
  credentials: (port) => ({
    url: `http://127.0.0.1:${port}/in`,
    headers: ['Authorization:Bearer secret-token'],
  }),
  take:
    (taken) =>
    ({ body }, response) => {
      taken.push(...sampleIdsIn(body.toString()));
      response.writeHead(200).end();
    },
  differs: {
    'a proxy on the way refuses (403, an HTML page), for good': {
      type: 'refused',
      reads: /Check the credentials/,
    },
  },
  rows: [
    {
      what: 'throttles (429)',
      answers: [says(429, 'slow down', { 'retry-after': '2' })],
      type: 'retry',
      reads: /429/,
    },
    {
      what: 'answers 200 at once, and its body never ends',
      answers: [
        (request, response, take) => {
          take(request, { writeHead: () => ({ end: () => {} }) } as never);
          response.writeHead(200).write('thank');
        },
      ],
      waits: true,
      type: 'delivered',
      reads: /^$/,
    },
    {
      what: 'redirects, for good (308)',
      answers: [says(308, '', { location: 'https://elsewhere.example/' })],
      lasting: true,
      type: 'refused',
      reads: /redirects to elsewhere\.example/,
    },
    {
      what: 'forgets the credentials, and knows them again (401)',
      answers: [says(401), says(401)],
      type: 'refused',
      reads: /Check the credentials/,
    },
    {
      what: 'was removed permanently (410)',
      answers: [says(410)],
      lasting: true,
      type: 'refused',
      reads: /removed permanently/,
    },
    {
      what: 'refuses one record of ten, always (422)',
      answers: [
        ({ body }, response, take) => {
          const request = { body } as Parameters<typeof take>[0];
          if (body.toString().includes('9007199254740996'))
            response.writeHead(422).end('volume must be positive');
          else take(request, response);
        },
      ],
      lasting: true,
      type: 'rejected',
      reads: /volume must be positive/,
    },
    {
      what: 'asks for an upgrade (101)',
      answers: [
        (_, response) =>
          response.socket?.end(
            'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
          ),
      ],
      type: 'retry',
      reads: /Switching Protocols/,
    },
  ],
});
