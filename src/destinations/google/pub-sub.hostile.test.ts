import { sampleIdsIn } from '../batches.fixture.ts';
import { testHostile } from '../hostile.fixture.ts';
import { type Behaviour, PROXY_PAGE, says } from '../hostile-rows.fixture.ts';
import { pubSub } from './pub-sub.ts';

const error = (code: number, status: string, message: string, reason?: string): Behaviour => {
  const details = reason ? [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason }] : [];
  return says(code, JSON.stringify({ error: { code, status, message, details } }));
};
const denied = error(
  403,
  'PERMISSION_DENIED',
  'User not authorized to perform this action.',
  'IAM_PERMISSION_DENIED',
);

const disabled = error(
  401,
  'UNAUTHENTICATED',
  'Request had invalid authentication credentials.',
  'ACCOUNT_STATE_INVALID',
);

testHostile({
  type: pubSub,
  guide: 'pub-sub.md',
  credentials: () => ({ cps_project: 'iot-records', cps_topic: 'usage' }),
  variables: (port) => ({ PUBSUB_EMULATOR_HOST: `127.0.0.1:${port}` }),
  take:
    (taken) =>
    ({ body }, response) => {
      const { messages } = JSON.parse(body.toString()) as { messages: { data: string }[] };
      for (const { data } of messages) taken.push(...sampleIdsIn(Buffer.from(data, 'base64').toString()));
      response.end(JSON.stringify({ messageIds: messages.map((_, at) => String(at)) }));
    },
  rows: [
    PROXY_PAGE,
    {
      what: 'throttles (RESOURCE_EXHAUSTED)',
      answers: [error(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded for quota metric', 'RATE_LIMIT_EXCEEDED')],
      type: 'retry',
      reads: /a quota of project iot-records/,
    },
    {
      what: 'is not available for a while (UNAVAILABLE)',
      answers: [error(503, 'UNAVAILABLE', 'The service was unable to fulfill your request.')],
      type: 'retry',
      reads: /at the moment/,
    },
    {
      what: 'refuses simstream’s own credentials, or its clock, for good',
      answers: [error(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.')],
      lasting: true,
      type: 'platform',
      reads: /credentials of this simstream node, or the clock/,
    },
    {
      what: 'simstream’s own service account was disabled, and enabled again',
      answers: [disabled, disabled],
      type: 'platform',
      reads: /service account of this simstream node is disabled/,
    },
    {
      what: 'the topic was deleted',
      answers: [error(404, 'NOT_FOUND', 'Resource not found (resource=usage).')],
      lasting: true,
      type: 'refused',
      reads: /topic projects\/iot-records/,
    },
    {
      what: 'the role was taken away, and given back',
      answers: [denied, denied],
      type: 'refused',
      reads: /Grant the role/,
    },
    {
      what: 'a perimeter of VPC Service Controls was put around the project',
      answers: [
        error(
          403,
          'PERMISSION_DENIED',
          'Request is prohibited by organization’s policy.',
          'SECURITY_POLICY_VIOLATED',
        ),
      ],
      lasting: true,
      type: 'refused',
      reads: /ingress rule/,
    },
    {
      what: 'the API was disabled, and enabled again',
      answers: [
        error(
          403,
          'PERMISSION_DENIED',
          'Cloud Pub/Sub API has not been used in project iot-records before or it is disabled.',
          'SERVICE_DISABLED',
        ),
      ],
      type: 'refused',
      reads: /Enable pubsub\.googleapis\.com/,
    },
    {
      what: 'the topic does not allow this region, for good',
      answers: [error(400, 'FAILED_PRECONDITION', 'The message storage policy does not allow this region.')],
      lasting: true,
      type: 'refused',
      reads: /message storage policy/,
    },
    {
      what: 'answers 200 without an id for each message',
      answers: [says(200, '{"messageIds":["1"]}')],
      type: 'retry',
      reads: /without a result/,
    },
    {
      what: 'answers 200, and its body never ends',
      answers: [(_, response) => response.writeHead(200).write('{"messageIds":[')],
      waits: true,
      type: 'retry',
      reads: /without a result/,
    },
    {
      what: 'one record of ten does not match the topic’s schema',
      answers: [
        (request, response, take) => {
          const { messages } = JSON.parse(request.body.toString()) as { messages: { data: string }[] };
          const bad = messages.some(({ data }) => Buffer.from(data, 'base64').includes('9007199254740996'));
          if (bad)
            error(400, 'INVALID_ARGUMENT', 'Message failed schema validation.')(request, response, take, []);
          else take(request, response);
        },
      ],
      lasting: true,
      type: 'rejected',
      reads: /may not match it/,
    },
  ],
});
