import { createHash, createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** A request as a service of AWS sees it. */
export interface SignedRequest {
  readonly method: string;
  /** As it stands in the request line. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Signer {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
}

export interface KnownKey {
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * Checks AWS Signature Version 4 in the Authorization header, from AWS's description of it and without the signer that
 * simstream uses. Returns who signed, or the code that AWS refuses with.
 */
export function checkSignature(
  request: SignedRequest,
  keyOf: (accessKeyId: string) => KnownKey | undefined,
): Signer | { readonly refused: string } {
  const { headers } = request;
  const header =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
  const parts = header.exec(headers.authorization ?? '');
  if (!parts) return { refused: 'MissingAuthenticationToken' };
  const [, accessKeyId, day, region, service, names, signature] = parts as unknown as string[];
  const key = keyOf(accessKeyId as string);
  if (!key || key.sessionToken !== headers['x-amz-security-token'])
    return { refused: 'InvalidClientTokenId' };
  const signed = (names as string).split(';');
  for (const name of Object.keys(headers)) {
    const needed = name === 'host' || name.startsWith('x-amz-');
    if (needed && !signed.includes(name)) return { refused: 'SignatureDoesNotMatch' };
  }
  const bodyHash = sha256(request.body);
  const stated = headers['x-amz-content-sha256'];
  if (stated !== undefined && stated !== bodyHash) return { refused: 'XAmzContentSHA256Mismatch' };
  const [path = '/', query = ''] = request.path.split('?');
  const canonical = [
    request.method,
    path,
    query,
    ...signed.map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .replace(/ +/g, ' ')}`,
    ),
    '',
    names,
    bodyHash,
  ].join('\n');
  const date = String(headers['x-amz-date']);
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', date, scope, sha256(Buffer.from(canonical))].join('\n');
  let mac: Buffer = Buffer.from(`AWS4${key.secretAccessKey}`);
  for (const step of [day, region, service, 'aws4_request', text]) mac = hmac(mac, step as string);
  if (!date.startsWith(day as string) || mac.toString('hex') !== signature)
    return { refused: 'SignatureDoesNotMatch' };
  return { accessKeyId: accessKeyId as string, region: region as string, service: service as string };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
