import { randomBytes } from 'node:crypto';
import type { Answer, Misbehaviour, Owner } from './aws-front.ts';
import { startServer } from './aws-front.ts';
import { checkSignature, type KnownKey, type SignedRequest } from './aws-signature.ts';

/** A role that may be assumed by who knows its external id. */
interface TestRole {
  readonly arn: string;
  readonly externalId: string;
}

/** Keys of an assumed role. */
interface Session extends KnownKey {
  readonly accessKeyId: string;
  readonly role: string;
  readonly sessionName: string;
  expired: boolean;
}

export const BASE_KEYS = {
  accessKeyId: 'AKIATESTBASE',
  secretAccessKey: 'base-secret-that-nobody-may-see',
} as const;
/** Who AWS says has knocked. */
const BASE_IDENTITY = 'arn:aws:sts::999999999999:assumed-role/streamer/i-0123456789abcdef0';
const NAMESPACE = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"';

/**
 * AssumeRole as STS does it: checks the signature, then the role's trust policy with its external id. Time is that of
 * the request, so that a test's clock rules.
 */
export class TestSts {
  url = '';
  readonly roles: TestRole[];
  readonly sessions: Session[] = [];
  /** What the next requests meet. */
  readonly next: Misbehaviour[] = [];
  /** How long sessions last at most, seconds. */
  longestSession = 43_200;
  /** Those to assume a role. */
  readonly requests: URLSearchParams[] = [];
  /** false: as stores that only speak AWS's protocol. */
  knowsAccounts = true;
  /** How often it was asked whose the base keys are. */
  identified = 0;

  constructor(roles: readonly TestRole[]) {
    this.roles = [...roles];
  }

  static async start(owner: Owner, roles: readonly TestRole[]): Promise<TestSts> {
    const sts = new TestSts(roles);
    sts.url = await startServer(owner, async (request) => sts.answer(request));
    return sts;
  }

  sessionOf(accessKeyId: string): Session | undefined {
    return this.sessions.find((session) => session.accessKeyId === accessKeyId);
  }

  expireSessions(): void {
    for (const session of this.sessions) session.expired = true;
  }

  /** What it answers to a request. */
  answer(request: SignedRequest): Misbehaviour {
    const form = new URLSearchParams(request.body.toString());
    const identifying = form.get('Action') === 'GetCallerIdentity';
    if (identifying) this.identified++;
    else this.requests.push(form);
    const planned = identifying ? undefined : this.next.shift();
    if (planned) return planned;
    const signer = checkSignature(request, (id) => (id === BASE_KEYS.accessKeyId ? BASE_KEYS : undefined));
    if ('refused' in signer) return stsError(403, signer.refused, 'The request signature does not match.');
    if (signer.service !== 'sts')
      return stsError(403, 'SignatureDoesNotMatch', 'Credential should be scoped to sts.');
    if (identifying && this.knowsAccounts) return callerIdentity();
    if (form.get('Action') !== 'AssumeRole')
      return stsError(400, 'InvalidAction', 'Could not find operation.');
    const arn = form.get('RoleArn') ?? '';
    if (!/^arn:aws:iam::\d{12}:role\//.test(arn))
      return stsError(400, 'ValidationError', `${arn} is invalid`);
    const role = this.roles.find((one) => one.arn === arn && one.externalId === form.get('ExternalId'));
    if (!role) {
      const message = `User: ${BASE_IDENTITY} is not authorized to perform: sts:AssumeRole on resource: ${arn}`;
      return stsError(403, 'AccessDenied', message);
    }
    return this.#assume(role, form, String(request.headers['x-amz-date']));
  }

  #assume(role: TestRole, form: URLSearchParams, date: string): Answer {
    const session: Session = {
      accessKeyId: `ASIATEST${randomBytes(6).toString('hex').toUpperCase()}`,
      secretAccessKey: randomBytes(20).toString('base64'),
      sessionToken: randomBytes(60).toString('base64'),
      role: role.arn,
      sessionName: form.get('RoleSessionName') ?? '',
      expired: false,
    };
    this.sessions.push(session);
    const at = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
    const seconds = Math.min(Number(form.get('DurationSeconds') ?? 3600), this.longestSession);
    const expiration = new Date(at + seconds * 1000).toISOString();
    const credentials = `<Credentials><AccessKeyId>${session.accessKeyId}</AccessKeyId><SecretAccessKey>${session.secretAccessKey}</SecretAccessKey><SessionToken>${session.sessionToken}</SessionToken><Expiration>${expiration}</Expiration></Credentials>`;
    return xml(
      200,
      `<AssumeRoleResponse ${NAMESPACE}><AssumeRoleResult><AssumedRoleUser><AssumedRoleId>AROATEST:${session.sessionName}</AssumedRoleId><Arn>${role.arn}/${session.sessionName}</Arn></AssumedRoleUser>${credentials}</AssumeRoleResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></AssumeRoleResponse>`,
    );
  }
}

function callerIdentity(): Answer {
  const account = /::(\d+):/.exec(BASE_IDENTITY)?.[1];
  return xml(
    200,
    `<GetCallerIdentityResponse ${NAMESPACE}><GetCallerIdentityResult><Arn>${BASE_IDENTITY}</Arn><UserId>AROATEST:i</UserId><Account>${account}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
  );
}

function stsError(status: number, code: string, message: string): Answer {
  return xml(
    status,
    `<ErrorResponse ${NAMESPACE}><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
  );
}

function xml(status: number, body: string): Answer {
  return { status, headers: { 'content-type': 'text/xml' }, body: Buffer.from(body) };
}
