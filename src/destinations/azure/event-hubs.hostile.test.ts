import { sampleIdsIn } from '../batches.fixture.ts';
import { testHostile } from '../hostile.fixture.ts';
import { type Behaviour, PROXY_PAGE, says } from '../hostile-rows.fixture.ts';
import { eventHubs } from './event-hubs.ts';

const error = (status: number, words: string): Behaviour =>
  says(status, `<Error><Code>${status}</Code><Detail>${words}</Detail></Error>`);
const denied = error(401, "Unauthorized access. 'Send' claim(s) are required to perform this operation.");
const unsigned = error(401, '40103: Invalid authorization token signature. TrackingId:1');

testHostile({
  type: eventHubs,
  guide: 'event-hubs.md',
  credentials: (port) => ({
    connection_string: `Endpoint=sb://127.0.0.1:${port}/;SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0;EntityPath=usage;UseDevelopmentEmulator=true`,
  }),
  take:
    (taken) =>
    ({ body }, response) => {
      for (const { Body } of JSON.parse(body.toString()) as { Body: string }[])
        taken.push(...sampleIdsIn(Body));
      response.writeHead(201).end();
    },
  differs: {
    'a proxy on the way refuses (403, an HTML page), for good': { type: 'refused' },
  },
  rows: [
    { ...PROXY_PAGE, type: 'refused' },
    {
      what: 'throttles (503, server busy)',
      answers: [error(503, 'The server is busy. Please retry the operation.')],
      type: 'retry',
      reads: /is throttling events/,
    },
    {
      what: 'its quota is used up (403)',
      answers: [error(403, 'The quota has been exceeded: 50002')],
      type: 'retry',
      reads: /is throttling events/,
    },
    {
      what: 'its namespace is throttled (403, in other words)',
      answers: [error(403, 'QuotaExceededException: the namespace is out of throughput units. TrackingId:1')],
      type: 'retry',
      reads: /is throttling events/,
    },
    {
      what: 'refuses a request as too large (400, in other words)',
      answers: [
        error(
          400,
          'The received message (delivery-id:0, size:1200000 bytes) exceeds the limit (1048576 bytes).',
        ),
      ],
      type: 'too_large',
      reads: /too large/,
    },
    {
      what: 'the clock of the node is wrong, for good',
      answers: [error(401, 'ExpiredToken: The token is expired.')],
      lasting: true,
      type: 'platform',
      reads: /clock of this simstream node/,
    },
    {
      what: 'the key was regenerated, for good',
      answers: [error(401, 'InvalidSignature: The token has an invalid signature.')],
      lasting: true,
      type: 'refused',
      reads: /enter the new one/,
    },
    {
      what: 'the policy was deleted, and made again with its key',
      answers: [unsigned, unsigned],
      type: 'refused',
      reads: /Check SharedAccessKeyName/,
    },
    {
      what: 'the event hub was deleted',
      answers: [error(404, 'The messaging entity could not be found.')],
      lasting: true,
      type: 'refused',
      reads: /Check Endpoint and EntityPath/,
    },
    {
      what: 'the event hub was disabled, and enabled again',
      answers: [error(404, 'The messaging entity is currently disabled. 40018')],
      type: 'refused',
      reads: /status to Active/,
    },
    {
      what: 'the Send right was taken away, and given back',
      answers: [denied, denied],
      type: 'refused',
      reads: /no Send right/,
    },
    {
      what: 'SAS authentication was turned off, for good',
      answers: [
        error(
          401,
          'LocalAuthDisabled: Authorization failed because SAS authentication has been disabled for the namespace.',
        ),
      ],
      lasting: true,
      type: 'refused',
      reads: /turn Local Authentication on/,
    },
    {
      what: 'its firewall lets simstream in no more',
      answers: [error(401, 'Ip has been prevented to connect to the endpoint.')],
      lasting: true,
      type: 'refused',
      reads: /IP firewall/,
    },
    {
      what: 'answers 201, and its body never ends',
      answers: [
        (request, response, take) => {
          take(request, { writeHead: () => ({ end: () => {} }) } as never);
          response.writeHead(201).write(' ');
        },
      ],
      waits: true,
      type: 'delivered',
      reads: /^$/,
    },
  ],
});
