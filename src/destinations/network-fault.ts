import type { Cause, Outcome } from './contract.ts';

export type NetworkOutcome = Extract<Outcome, { type: 'retry' | 'refused' | 'platform' }>;

interface Meaning {
  readonly type: NetworkOutcome['type'];
  readonly code: string;
  readonly say: (at: string) => string;
}

/**
 * The meaning of an error of Node.js, OpenSSL or undici for a person, by its `code`; the first matching pattern counts.
 * An invalid certificate is retried, not refused: its renewal fixes it, without a change in simstream.
 */
const MEANINGS: readonly (readonly [RegExp, Meaning])[] = [
  [
    /^ForbiddenAddress$/,
    meaning('refused', 'forbidden_address', (at) => {
      return `This simstream does not connect to the address of ${at} (for example, because it is private or loopback). Use a public address, or ask the operator to allow it.`;
    }),
  ],
  [
    // One answer for both: otherwise customers could find out which names exist in the operator's network.
    /^(ForbiddenName|ENOTFOUND|ENODATA|EAI_NODATA|EAI_NONAME)$/,
    meaning('retry', 'dns_error', (at) => {
      return `The host name of ${at} was not found, or it has a private or local address. Check it for typing errors; it must be known on the internet, or the operator must allow its address.`;
    }),
  ],
  [
    /^ProxyFault$/,
    meaning('platform', 'proxy_failed', () => {
      return "simstream's own proxy does not let its calls through; its operator must fix it. simstream will try again.";
    }),
  ],
  [
    /^ProxyUnreachableHost$/,
    meaning('retry', 'unreachable', (at) => `simstream's proxy could not reach ${at}.`),
  ],
  [
    /^QueueFull$/,
    meaning('platform', 'names_busy', () => {
      return 'simstream is still looking for the addresses of other host names of this organisation; it will try again.';
    }),
  ],
  [
    /^(EMFILE|ENFILE|ENOBUFS|ENOMEM|EADDRNOTAVAIL|OutOfSockets)$/,
    meaning('platform', 'out_of_sockets', () => 'simstream has no connection to spare; it will try again.'),
  ],
  [
    /^(EAI_|ESERVFAIL|ETIMEOUT$|EREFUSED$)/,
    meaning('retry', 'dns_error', (at) => `The host name of ${at} could not be resolved at the moment.`),
  ],
  [
    /^ECONNREFUSED$/,
    meaning('retry', 'connection_refused', (at) => {
      return `${at} refused the connection. Check that the service runs, and the port.`;
    }),
  ],
  [
    /^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/,
    meaning('retry', 'timeout', (at) => {
      return `${at} did not accept a connection in time. Check that its firewall lets simstream in.`;
    }),
  ],
  [/^UND_ERR_\w*TIMEOUT$/, meaning('retry', 'timeout', (at) => `${at} did not answer in time.`)],
  [
    /^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|EACCES|EPERM)$/,
    meaning('retry', 'unreachable', (at) => `The network has no route to ${at}.`),
  ],
  [/^CERT_HAS_EXPIRED$/, tlsFault('has expired')],
  [/^CERT_NOT_YET_VALID$/, tlsFault('is not valid yet')],
  [/^DEPTH_ZERO_SELF_SIGNED_CERT$/, tlsFault('is self-signed')],
  [
    /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT\w*|CERT_UNTRUSTED)$/,
    tlsFault('was issued by an authority that is not trusted, or intermediate certificates are missing'),
  ],
  [
    /^UNABLE_TO_VERIFY_LEAF_SIGNATURE$/,
    tlsFault('cannot be verified: intermediate certificates are missing, or its authority is not trusted'),
  ],
  [/^(ERR_TLS_CERT_ALTNAME_INVALID|HOSTNAME_MISMATCH)$/, tlsFault('is for another host name')],
  [/^CERT_REVOKED$/, tlsFault('was revoked')],
  [/^(CERT_|CRL_|UNABLE_TO_|INVALID_|PATH_LENGTH)/, tlsFault('could not be verified')],
  [
    /^ERR_SSL_.*ALERT_NO_APPLICATION_PROTOCOL$/,
    meaning('retry', 'tls_error', (at) => {
      return `${at} does not speak HTTP/1.1 over TLS. Let it accept HTTP/1.1 beside HTTP/2 (ALPN: http/1.1).`;
    }),
  ],
  [
    /^ERR_SSL_.*(CERTIFICATE_REQUIRED|ALERT_BAD_CERTIFICATE)$/,
    meaning('retry', 'tls_error', (at) => {
      return `${at} asks for a client certificate, which simstream does not have. Let it accept connections without one, and check the signature of requests instead.`;
    }),
  ],
  [
    /^ERR_SSL_.*UNRECOGNIZED_NAME$/,
    meaning('retry', 'tls_error', (at) => {
      return `${at} does not serve this host name over TLS. Check the host of the URL.`;
    }),
  ],
  [
    /^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$/,
    meaning('retry', 'tls_error', (at) => {
      return `No TLS connection with ${at} could be agreed on: it answered with something that is not TLS. Check the port; if it speaks plain HTTP, the URL begins with http.`;
    }),
  ],
  [
    /^ERR_SSL_.*HANDSHAKE_FAILURE$/,
    meaning('retry', 'tls_error', (at) => {
      return `No TLS connection with ${at} could be agreed on. Check that it offers TLS 1.2 or 1.3 with common ciphers, and does not ask for a client certificate.`;
    }),
  ],
  [
    /^(EPROTO|ERR_SSL|ERR_TLS)/,
    meaning('retry', 'tls_error', (at) => {
      return `No TLS connection with ${at} could be agreed on. Check that the port speaks TLS 1.2 or 1.3.`;
    }),
  ],
  [
    /^UND_ERR_HEADERS_OVERFLOW$/,
    meaning('retry', 'invalid_answer', (at) => {
      return `The headers of the answer of ${at} are longer than 16 KB. Let it answer with fewer or shorter headers, such as cookies.`;
    }),
  ],
  [
    /^UND_ERR_RES_CONTENT_LENGTH_MISMATCH$/,
    meaning('retry', 'invalid_answer', (at) => {
      return `The headers of the answer of ${at} contradict its body. Check Content-Length and Transfer-Encoding: an answer has one of them, once.`;
    }),
  ],
  [
    /^HTTPParserError: .*(Content-Length|Transfer-Encoding)/,
    meaning('retry', 'invalid_answer', (at) => {
      return `The headers of the answer of ${at} have a malformed or repeated Content-Length or Transfer-Encoding: an answer has one of them, once.`;
    }),
  ],
  [
    /^HTTPParserError: .*(header|status|\bCR\b|\bLF\b)/i,
    meaning('retry', 'invalid_answer', (at) => {
      return `The answer of ${at} is malformed HTTP. Check its status line and its headers, and the proxies on the way.`;
    }),
  ],
  [
    /^UnaskedUpgrade$/,
    meaning('retry', 'invalid_answer', (at) => {
      return `${at} answered 101 Switching Protocols, which simstream did not ask for. Check that the URL is that of an HTTP endpoint, not of a WebSocket.`;
    }),
  ],
  [
    /^(HPE_|HTTPParserError\b)/,
    meaning('retry', 'invalid_answer', (at) => {
      return `${at} answered with something that is not HTTP/1.1. Check the port: it may be for HTTP/2 alone, or for another protocol.`;
    }),
  ],
  [
    /^(ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET|ERR_STREAM_PREMATURE_CLOSE)$/,
    meaning('retry', 'connection_reset', (at) => `${at} closed the connection without an answer.`),
  ],
];

/**
 * The outcome of a call without an answer.
 * @param error the client's error; its causes and its collected errors are searched too
 * @param at the receiver, for people: a host name, with its port if that matters
 */
export function networkFault(error: unknown, at: string): NetworkOutcome {
  const codes = codesOf(error);
  for (const [pattern, { type, code, say }] of MEANINGS) {
    if (codes.some((each) => pattern.test(each))) return { type, cause: { code, message: say(at) } };
  }
  const known = codes[0] ? ` (${codes[0]})` : '';
  return { type: 'retry', cause: { code: 'network_error', message: `The call of ${at} failed${known}.` } };
}

/** A call that simstream itself cancelled: a shutdown, or the stream was changed or deleted. */
export function cancelled(at: string): NetworkOutcome {
  return {
    type: 'platform',
    cause: { code: 'cancelled', message: `simstream cancelled the call of ${at}.` },
  };
}

export function timedOut(at: string, milliseconds: number): NetworkOutcome {
  const message = `${at} did not answer within ${Math.round(milliseconds / 1000)} s.`;
  return { type: 'retry', cause: { code: 'timeout', message } satisfies Cause };
}

/** The codes (a parser's error has but a name and words) of an error, of its causes and of the errors it gathers; outermost first. */
function codesOf(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > 4) return [];
  const { code, name, message, cause, errors } = error as Record<string, unknown>;
  const inner = [cause, ...(Array.isArray(errors) ? errors : [])].flatMap((one) => codesOf(one, depth + 1));
  const known = name === 'HTTPParserError' ? `${name}: ${/\((.*)\)$/.exec(String(message))?.[1]}` : name;
  return [...[code, known].filter((one) => typeof one === 'string'), ...inner];
}

function meaning(type: Meaning['type'], code: string, say: Meaning['say']): Meaning {
  return { type, code, say };
}

function tlsFault(what: string): Meaning {
  return meaning('retry', 'tls_error', (at) => `The TLS certificate of ${at} ${what}.`);
}
