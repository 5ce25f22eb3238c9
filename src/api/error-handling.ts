import { type IncomingMessage, maxHeaderSize, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifyServerOptions } from 'fastify';
import { ApiError, type ErrorToken, StoreUnavailable } from '../errors.ts';
import type { Clock } from '../lib/clock.ts';
import { answerWith } from './answer.ts';
import { endAndDestroy } from './unread-bodies.ts';

/** Where unexpected errors are logged; a pino logger fits. */
export interface ErrorLog {
  error(fields: object, message: string): void;
}

type AnswerError = (error: unknown, request: FastifyRequest, reply: FastifyReply) => FastifyReply;

/** Faults that Fastify finds before a handler is reached. */
const FRAMEWORK_ERRORS: Readonly<Record<string, readonly [ErrorToken, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['PayloadTooLarge', 'The request body is too large.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['UnsupportedMediaType', 'The Content-Type is malformed.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['BadRequest', 'The body does not have the length of Content-Length.'],
  FST_ERR_BAD_URL: ['BadRequest', 'The path is not a valid URL path.'],
};

/** Answers every error with emnify's body. An unexpected error is logged, and the caller does not see its details. */
export function createAnswerError(log: ErrorLog | undefined): AnswerError {
  return (error, request, reply) => {
    const known = tooLarge(error, request) ?? knownError(error);
    if (!known) {
      const fields = { err: error, requestId: request.id, method: request.method, route: routeOf(request) };
      log?.error(fields, 'a request failed unexpectedly');
    }
    return sendError(
      reply,
      known ?? new ApiError('Internal', `Something failed inside simstream (${request.id}).`),
    );
  };
}

function tooLarge(error: unknown, { routeOptions }: FastifyRequest): ApiError | undefined {
  if ((error as { code?: unknown } | undefined)?.code !== 'FST_ERR_CTP_BODY_TOO_LARGE') return undefined;
  const limit = (routeOptions.bodyLimit ?? 0) / 1024;
  const most = limit >= 1024 ? `${limit / 1024} MiB` : `${limit} KiB`;
  return new ApiError('PayloadTooLarge', `The request body is larger than ${most}.`);
}

/** For errors before a request is routed, and for bytes that are not HTTP. */
export function earlyErrorHandlers(
  answerError: AnswerError,
  clock: Clock,
): Pick<FastifyServerOptions, 'frameworkErrors' | 'clientErrorHandler'> {
  return {
    frameworkErrors: (error, request, reply) => {
      void answerError(error, request as FastifyRequest, reply as FastifyReply);
    },
    clientErrorHandler: (error, socket) => answerBrokenRequest(error, socket, clock),
  };
}

export function addErrorHandlers(app: FastifyInstance, answerError: AnswerError, clock: Clock): void {
  app.setErrorHandler(answerError);
  // Without a listener, Node.js answers these itself, without a body.
  app.server.on('checkExpectation', refuseExpectation);
  app.server.on('connect', (_: IncomingMessage, socket: Duplex) => {
    answerRaw(socket, 405, 'simstream is not a proxy: it does not take CONNECT.', clock);
  });
  app.addHook('onRequest', ({ headers, raw }, _, done) => {
    const missing = headers.host === undefined && raw.httpVersion === '1.1';
    done(missing ? new ApiError('BadRequest', 'The header Host is missing.') : undefined);
  });
}

/** A cluster that lost a server has elected new leaders by then. */
const STORE_RETRY_AFTER_SECONDS = 5;

function knownError(error: unknown): ApiError | undefined {
  if (error instanceof ApiError) return error;
  if (error instanceof StoreUnavailable)
    return new ApiError('Busy', 'The storage does not answer; try again later.', {
      retryAfter: STORE_RETRY_AFTER_SECONDS,
    });
  // Anything may be thrown, and `code` is a number in some libraries' errors.
  const { code: thrown, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: number };
  const code = typeof thrown === 'string' ? thrown : undefined;
  const [token, message] = FRAMEWORK_ERRORS[code ?? ''] ?? [];
  if (token) return new ApiError(token, message);
  // A later version of the framework may find more mistakes of callers.
  const isCallers = code?.startsWith('FST_') && statusCode !== undefined && statusCode < 500;
  return isCallers ? new ApiError('BadRequest') : undefined;
}

function sendError(reply: FastifyReply, error: ApiError): FastifyReply {
  const headers: Record<string, string> = { ...error.headers };
  if (error.retryAfter !== undefined) headers['retry-after'] = String(Math.ceil(error.retryAfter));
  if (error.status === 401) headers['www-authenticate'] = 'Bearer';
  return answerWith(reply, { status: error.status, body: error.body(), headers });
}

function routeOf(request: FastifyRequest): string | undefined {
  return request.routeOptions?.url;
}

/** Faults that the HTTP parser finds, by its code: status and message. */
const CLIENT_ERRORS: Readonly<Record<string, readonly [number, string]>> = {
  HPE_HEADER_OVERFLOW: [
    431,
    `The request line and the headers are larger than ${maxHeaderSize / 1024} KiB together: send fewer or shorter headers, or a shorter path.`,
  ],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not arrive in time: send it faster, or in smaller parts.'],
};
const NO_HTTP = [400, 'This is not an HTTP request that can be read.'] as const;

/** Answers bytes that are not an HTTP request. No reply object exists yet, so the answer is written by hand. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Duplex, clock: Clock): void {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, message] = CLIENT_ERRORS[error.code ?? ''] ?? NO_HTTP;
  answerRaw(socket, status, message, clock);
}

function answerRaw(socket: Duplex, status: number, message: string, clock: Clock): void {
  const body = rawBody(status, message);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  endAndDestroy(socket, `${head.join('\r\n')}\r\n\r\n${body}`, clock);
}

function refuseExpectation(_: IncomingMessage, response: ServerResponse): void {
  const body = rawBody(
    417,
    'The only known value of the header Expect is 100-continue: leave the header out.',
  );
  response
    .writeHead(417, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      // The bytes that follow would be read as the next request.
      connection: 'close',
    })
    .end(body);
}

function rawBody(status: number, message: string): string {
  return JSON.stringify(new ApiError(status === 405 ? 'MethodNotAllowed' : 'BadRequest', message).body());
}
