import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { Service } from './endpoints.ts';

/** Keys that requests are signed with. */
export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** Milliseconds since the epoch; undefined for keys that do not expire. */
  readonly expiresAt?: number | undefined;
}

export interface UnsignedRequest {
  readonly service: Service;
  readonly region: string;
  readonly method: string;
  readonly url: URL;
  /** In lower case; without host. */
  readonly headers: Readonly<Record<string, string>>;
  /** SHA-256 of the body, hexadecimal. The service checks the body against it. */
  readonly bodySha256: string;
}

/** The headers of a request with AWS Signature Version 4. `now` in milliseconds since the epoch. */
export async function signedHeaders(
  request: UnsignedRequest,
  keys: AwsKeys,
  now: number,
): Promise<Record<string, string>> {
  const { service, region, url } = request;
  const signer = new SignatureV4({
    service,
    region,
    credentials: {
      accessKeyId: keys.accessKeyId,
      secretAccessKey: keys.secretAccessKey,
      ...(keys.sessionToken === undefined ? {} : { sessionToken: keys.sessionToken }),
    },
    sha256: Sha256,
    // S3 alone takes the path as it stands.
    uriEscapePath: service !== 's3',
  });
  const signed = await signer.sign(
    {
      method: request.method,
      protocol: url.protocol,
      hostname: url.hostname,
      path: url.pathname,
      headers: { ...request.headers, host: url.host, 'x-amz-content-sha256': request.bodySha256 },
    },
    { signingDate: new Date(now) },
  );
  return signed.headers;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The hash that the signer works with: Node's, instead of one written in JavaScript. */
class Sha256 {
  readonly #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }

  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(data));
  }

  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }

  reset(): void {
    throw new Error('a hash is used once');
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return new Uint8Array(data);
}
