import type { TestContext } from 'node:test';
import { BASE_KEYS, TestSts } from '../../../tests/support/aws-sts.ts';
import type { HostileTable } from '../hostile.fixture.ts';
import { type HostileRow, says } from '../hostile-rows.fixture.ts';
import type { Answering, ReceivedRequest } from '../http/peer.fixture.ts';

export const ROLE = 'arn:aws:iam::123456789012:role/simstream';
const isForm = ({ headers }: ReceivedRequest) =>
  headers['content-type']?.startsWith('application/x-www-form-urlencoded') ?? false;

/** A healthy STS. */
function sts(externalId: string): Answering {
  const service = new TestSts([{ arn: ROLE, externalId }]);
  return (request, response) => {
    const answer = service.answer({ ...request, path: request.url });
    if (typeof answer !== 'string') response.writeHead(answer.status).end(answer.body);
  };
}

const stsError = (status: number, code: string, words: string): Answering => {
  const body = `<ErrorResponse><Error><Code>${code}</Code><Message>${words}</Message></Error></ErrorResponse>`;
  return (request, response) => says(status, body)(request, response, () => {}, []);
};

/** The shared parts of AWS connectors: the address of STS, and simstream's own credentials. */
export const AWS: Pick<HostileTable, 'variables' | 'aside' | 'isAside'> = {
  variables: (port) => ({
    AWS_ACCESS_KEY_ID: BASE_KEYS.accessKeyId,
    AWS_SECRET_ACCESS_KEY: BASE_KEYS.secretAccessKey,
    AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
  }),
  aside: (_: TestContext) => sts('org-70412'),
  isAside: isForm,
};

/** The faults of STS that can hit any of them. */
export const STS_ROWS: readonly HostileRow[] = [
  {
    what: 'the role’s trust policy names another external id, for good',
    answers: [],
    lasting: true,
    aside: sts('org-1'),
    type: 'refused',
    reads: /trust policy needs this statement/,
  },
  {
    what: 'STS throttles, for good',
    answers: [],
    lasting: true,
    aside: stsError(400, 'Throttling', 'Rate exceeded'),
    type: 'retry',
    reads: /STS is throttling requests/,
  },
  {
    what: 'simstream’s own identity may not assume roles, for good',
    answers: [],
    lasting: true,
    aside: stsError(
      403,
      'AccessDenied',
      `User: arn:aws:iam::999999999999:user/streamer is not authorized to perform: sts:AssumeRole on resource: ${ROLE} because no identity-based policy allows the sts:AssumeRole action`,
    ),
    type: 'platform',
    reads: /own AWS identity may not assume roles/,
  },
  {
    what: 'a proxy before STS answers with a page of its own, for good',
    answers: [],
    lasting: true,
    aside: (_, response) => response.writeHead(200).end('<html><body>Please sign in</body></html>'),
    type: 'platform',
    reads: /did not come from AWS STS/,
  },
  {
    what: 'STS refuses simstream’s own credentials, for good',
    answers: [],
    lasting: true,
    aside: stsError(403, 'InvalidClientTokenId', 'The security token included in the request is invalid.'),
    type: 'platform',
    reads: /simstream's own credentials/,
  },
];
