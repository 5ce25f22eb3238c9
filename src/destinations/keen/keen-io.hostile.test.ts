import { testHostile } from '../hostile.fixture.ts';
import { type Behaviour, PROXY_PAGE, says } from '../hostile-rows.fixture.ts';
import { keenIo } from './keen-io.ts';

const error = (status: number, error_code: string, message: string): Behaviour =>
  says(status, JSON.stringify({ error_code, message }));
const idsIn = (body: Buffer) =>
  [...body.toString().matchAll(/"id":(\d+),"traffic_type"/g)].map((match) => match[1] as string);

/** Takes every second record; of the others it says `name`. */
const half =
  (name: string): Behaviour =>
  ({ body }, response, _, taken) => {
    const results = idsIn(body).map((id, at) => {
      if (at % 2 === 1) return { success: false, error: { name, description: 'no' } };
      taken.push(id);
      return { success: true };
    });
    response.end(JSON.stringify({ records: results }));
  };
const revoked = error(401, 'InvalidApiKeyError', 'The specified API Key is invalid.');

testHostile({
  type: keenIo,
  guide: 'keen-io.md',
  credentials: () => ({
    project_id: '5f2a9c81d0e34b7796ab12cd',
    write_key: 'A1B2C3D4E5F6',
    collection_name: 'records',
  }),
  variables: (port) => ({ KEEN_API_URL: `http://127.0.0.1:${port}` }),
  take:
    (taken) =>
    ({ body }, response) => {
      const ids = idsIn(body);
      taken.push(...ids);
      response.end(JSON.stringify({ records: ids.map(() => ({ success: true })) }));
    },
  differs: {
    'a proxy on the way refuses (403, an HTML page), for good': { type: 'platform' },
  },
  rows: [
    PROXY_PAGE,
    {
      what: 'throttles (429)',
      answers: [error(429, 'TooManyRequests', 'slow down')],
      type: 'retry',
      reads: /429/,
    },
    {
      what: 'fails for some records of a batch',
      answers: [half('ServerError')],
      type: 'partial',
      reads: /ServerError/,
    },
    {
      what: 'the key was revoked, and restored',
      answers: [revoked, revoked],
      type: 'refused',
      reads: /write_key/,
    },
    {
      what: 'the project was deleted',
      answers: [error(404, 'ResourceNotFoundError', 'no such project')],
      lasting: true,
      type: 'refused',
      reads: /check project_id/,
    },
    {
      what: 'the plan of the project has ended',
      answers: [error(402, 'PaymentRequired', 'upgrade')],
      lasting: true,
      type: 'refused',
      reads: /bills and limits/,
    },
    {
      what: 'does not accept the collection’s name, for good',
      answers: [error(400, 'InvalidCollectionNameError', 'reserved')],
      lasting: true,
      type: 'refused',
      reads: /change collection_name/,
    },
    {
      what: 'answers 200 without a result for each record',
      answers: [says(200, 'welcome')],
      type: 'retry',
      reads: /without a result/,
    },
    {
      what: 'answers 200, and its body never ends',
      answers: [(_, response) => response.writeHead(200).write('{"records":[')],
      waits: true,
      type: 'retry',
      reads: /without a result/,
    },
    {
      what: 'redirects, for good (301)',
      answers: [says(301, '', { location: 'https://elsewhere.example/' })],
      lasting: true,
      type: 'refused',
      reads: /redirects to elsewhere/,
    },
  ],
});
