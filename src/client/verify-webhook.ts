export type WebhookVerdict =
  | { readonly genuine: true }
  /** Why the request is refused, for a log. */
  | { readonly genuine: false; readonly reason: string };

/** A request that was recorded and sent again later is refused after this long, as the Standard Webhooks specification says. */
const OLDEST_S = 300;

/**
 * Checks that simstream signed a webhook request, as Standard Webhooks describes.
 * @param headers names in any case; of `node:http`, of `fetch`, or a plain object
 * @param body the bytes or the text as they came, before anything parsed them
 * @param secret the data stream's `signing_secret`; without one, no request is genuine
 * @param now seconds since the epoch
 */
export async function verifyWebhook(
  headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>,
  body: Uint8Array | string,
  secret: string | undefined,
  now = Date.now() / 1000,
): Promise<WebhookVerdict> {
  const get = (name: string): string => {
    if (headers instanceof Headers) return headers.get(name) ?? '';
    const [, value] = Object.entries(headers).find(([each]) => each.toLowerCase() === name) ?? [];
    return String(value ?? '');
  };
  const [id, timestamp, signatures] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map(get) as [
    string,
    string,
    string,
  ];
  if (!secret) return { genuine: false, reason: 'the secret for the check is missing' };
  if (!/^\d{1,12}$/.test(timestamp))
    return { genuine: false, reason: 'webhook-timestamp is missing, or no time' };
  if (Math.abs(now - Number(timestamp)) > OLDEST_S)
    return { genuine: false, reason: 'the request is too old, or from the future' };
  const key = await crypto.subtle.importKey('raw', keyOf(secret), { name: 'HMAC', hash: 'SHA-256' }, false, [
    'verify',
  ]);
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const prefix = new TextEncoder().encode(`${id}.${timestamp}.`);
  const signed = new Uint8Array(prefix.length + bytes.length);
  signed.set(prefix);
  signed.set(bytes, prefix.length);
  for (const signature of signatures.split(' ')) {
    if (!signature.startsWith('v1,')) continue;
    const given = fromBase64(signature.slice('v1,'.length));
    // `verify` compares in constant time.
    if (given && (await crypto.subtle.verify('HMAC', key, given, signed))) return { genuine: true };
  }
  return { genuine: false, reason: 'the signature is missing or wrong' };
}

function keyOf(secret: string): Uint8Array<ArrayBuffer> {
  const encoded = secret.startsWith('whsec_') ? fromBase64(secret.slice('whsec_'.length)) : undefined;
  return encoded ?? new TextEncoder().encode(secret);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
