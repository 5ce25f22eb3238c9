import { redactText } from '../../lib/redact.ts';
import type { Cause, Outcome } from '../contract.ts';
import { plainText } from '../http/http-outcome.ts';
import { quoted } from '../quoted.ts';
import { isForeign } from '../reasons.ts';

/** An outcome other than success. */
export type Failure = Exclude<Outcome, { type: 'delivered' } | { type: 'partial' }>;

/** An error that an AWS service answered with. */
export interface AwsFault {
  readonly status: number;
  /** The service's own code, for example `ResourceNotFoundException`; `http_503` if the answer has none. */
  readonly code: string;
  /** The service's own words, on one line, shortened, without what looks like a secret. */
  readonly words: string;
  /** The region of the bucket, according to S3. */
  readonly region?: string | undefined;
}

/** The code of an answer that is not from AWS. */
export const FOREIGN = 'foreign_answer';

/** The most characters of a service's words in a message. */
const SHOWN = 400;

/** Reads the error of an answer: JSON (Kinesis), or XML (S3, STS). */
export function readFault(
  status: number,
  text: string,
  header: (name: string) => string | undefined,
): AwsFault {
  const { code, words, region } = text.trimStart().startsWith('{') ? readJson(text) : readXml(text);
  if (isForeign(status, text)) {
    return { status, code: FOREIGN, words: shown(plainText(text, [])) };
  }
  const bucketRegion = header('x-amz-bucket-region') ?? region;
  return {
    status,
    code: bareCode(code ?? header('x-amzn-errortype')) ?? `http_${status}`,
    words: shown(words ?? ''),
    ...(bucketRegion ? { region: bucketRegion } : {}),
  };
}

interface Read {
  readonly code?: string | undefined;
  readonly words?: string | undefined;
  readonly region?: string | undefined;
}

function readJson(text: string): Read {
  try {
    const body = JSON.parse(text) as Record<string, unknown>;
    const words = body.message ?? body.Message;
    return {
      code: typeof body.__type === 'string' ? body.__type : undefined,
      words: typeof words === 'string' ? words : undefined,
    };
  } catch {
    return {};
  }
}

function readXml(text: string): Read {
  return {
    code: xmlText(text, 'Code'),
    words: xmlText(text, 'Message'),
    region: xmlText(text, 'Region'),
  };
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

/** The text of the first element of a name in AWS's answers, whose elements of interest are flat and have no attributes. */
export function xmlText(xml: string, name: string): string | undefined {
  const match = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml);
  return match?.[1]?.replace(/&(#x?[0-9a-fA-F]+|[a-z]+);/g, (whole, entity: string) => {
    if (!entity.startsWith('#')) return ENTITIES[entity] ?? whole;
    const hexadecimal = entity[1] === 'x';
    const point = Number.parseInt(entity.slice(hexadecimal ? 2 : 1), hexadecimal ? 16 : 10);
    return point <= 0x10ffff ? String.fromCodePoint(point) : whole;
  });
}

/** `com.amazon.coral.service#AccessDeniedException:http://…` is AccessDeniedException. */
function bareCode(code: string | undefined): string | undefined {
  const bare = code?.split('#').pop()?.split(':')[0]?.trim();
  // It becomes a metric label, so only a name is allowed.
  return bare && /^[\w.-]{1,80}$/.test(bare) ? bare : undefined;
}

function shown(words: string): string {
  const line = redactText(words).replace(/\s+/g, ' ').trim();
  return line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line;
}

/** A cause of a fault: what happened and the next step, then AWS's own words. */
export function causeOf(fault: AwsFault, text: string): Cause {
  const said = fault.words ? ` AWS said: ${quoted(fault.words)}` : '';
  return { code: fault.code, message: `${text}${said}`, remoteStatus: fault.status };
}

/** The keys are no longer valid, or not yet known everywhere: new ones may be. */
export function isAboutKeys({ code }: AwsFault): boolean {
  return KEY_CODES.has(code);
}

export function isDenied({ code }: AwsFault): boolean {
  return code === 'AccessDenied' || code === 'AccessDeniedException';
}

export const KEY_CODES = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'InvalidToken',
  'InvalidAccessKeyId',
  'InvalidClientTokenId',
  'UnrecognizedClientException',
  'TokenRefreshRequired',
]);

export const CLOCK_IS_OFF = 'The clock of this simstream node is wrong. The platform operator must set it.';

/** Too much at once: a pause helps. */
export function isThrottling({ code, status }: AwsFault): boolean {
  return status === 429 || THROTTLING_CODES.has(code);
}

export const THROTTLING_CODES = new Set([
  'ProvisionedThroughputExceededException',
  'LimitExceededException',
  'KMSThrottlingException',
  'KMS.ThrottlingException',
  'Throttling',
  'ThrottlingException',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestLimitExceeded',
  'TooManyRequestsException',
  'BandwidthLimitExceeded',
  'EC2ThrottledException',
  'PriorRequestNotComplete',
  'SlowDown',
  // Stores like S3.
  'SlowDownRead',
  'SlowDownWrite',
  'TooManyRequests',
  'ServerBusy',
]);
