import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { Audit } from '../auth/audit.ts';
import type { Identity } from '../auth/identity.ts';
import { createCallerAddress } from '../auth/network.ts';
import { ApiError } from '../errors.ts';
import { type CallCost, charged, onBehalfOf } from '../lib/call-cost.ts';
import type { Clock, Random } from '../lib/clock.ts';
import { ownTurn } from '../lib/slices.ts';
import { limitAnonymousCalls } from './anonymous.ts';
import { answerWith } from './answer.ts';
import { auditEntry, isAudited } from './audited.ts';
import { passBodiesOn, readJsonBodies } from './body.ts';
import { DOCUMENTATION_PATHS, serveDocumentation } from './documentation.ts';
import { addErrorHandlers, createAnswerError, type ErrorLog, earlyErrorHandlers } from './error-handling.ts';
import { createHeldRefusals } from './held-refusals.ts';
import { addCommonHeaders } from './http-headers.ts';
import { type CallerParts, identify, known, workOf } from './identify.ts';
import { buildOpenApi } from './openapi.ts';
import { type OperationParts, operationRoutes } from './operations.ts';
import { beginOneByOne } from './pipelined.ts';
import { createQueryValidator } from './query.ts';
import { createRequestIds } from './request-ids.ts';
import type { Answer, OperatorIdentity, Route, RouteRequest } from './route.ts';
import { isOnSide } from './side.ts';
import { boundUnreadAnswers } from './unread-answers.ts';
import { destroyUnreadUploads } from './unread-bodies.ts';
import { answerUnserved } from './unserved.ts';
import { createValidator } from './validation.ts';

export interface AppParts extends OperationParts, CallerParts {
  readonly routes: readonly Route[];
  /** Called after every answer to an organisation's call, with the cost of the call. */
  charge?(caller: Identity, cost: { readonly loopMs: number; readonly bytes: number }): void;
  /** The same for calls of the operator other than records. */
  chargeOperator?(loopMs: number): void;
  /**
   * Counts any call, before anything else.
   * @throws ApiError TooManyRequests
   */
  admitRequest?(ip: string): void;
  /** For the ids of requests. */
  readonly random: Random;
  readonly clock: Clock;
  /** simstream's version, for the documentation. */
  readonly version: string;
  /** A webhook that takes the place of EXAMPLE_RECEIVER in the documentation. */
  readonly exampleReceiver?: string;
  readonly log?: ErrorLog;
  /** Where logins, calls of the operator and changes are written. */
  readonly audit?: Pick<Audit, 'add'>;
  /** Called after every answer. */
  answered?(answer: Answered): void;
  /** Ranges of the proxies whose X-Forwarded-For and Forwarded count. */
  readonly trustProxy?: readonly string[];
}

export interface Answered {
  readonly method: string;
  /** The route's pattern, never the path of the request; undefined if there was none. */
  readonly route: string | undefined;
  readonly status: number;
  readonly durationMs: number;
  readonly organisationId?: number;
}

declare module 'fastify' {
  interface FastifyRequest {
    identity: Identity | OperatorIdentity | undefined;
    /** The user who logged in with this call, or was refused. */
    login: Answer['login'];
    /** Of a call whose caller is known. */
    cost: CallCost | undefined;
    /** The caller's address, behind the trusted proxies. */
    caller: string;
  }
  interface FastifyContextConfig {
    /** The call has a JSON body; without it any body is ignored. */
    takesBody?: boolean;
    /** See route.ts. */
    nullMembers?: readonly string[];
    /** The body is a stream of records, whose cost ingest bounds by itself. */
    isStream?: boolean;
    /** The route in metrics, for patterns that are unfit as a label. */
    metricsRoute?: string;
  }
}

/** The largest JSON body: a data stream with a thousand filter values has a few KiB. */
export const BODY_LIMIT = 2 ** 20;
/** The largest JSON body of a call that needs no token: a login has less than a tenth of it. */
export const ANONYMOUS_BODY_LIMIT = 2 ** 16;

/** The default of Node.js, which Fastify switches off: a slower request is cut off. */
export const REQUEST_TIMEOUT_MS = 300_000;

/** The whole head of a request that Node takes: any id reaches its handler, which does not find it. */
const LONGEST_PARAMETER = 16_384;

/**
 * Makes the HTTP application of a route table: authentication, validation, errors and documentation follow from the
 * table. It is ready to `listen` or `inject`; the caller closes it.
 */
export async function createApp(appParts: AppParts): Promise<FastifyInstance> {
  const parts: RouteParts = { ...appParts, holdRefusal: createHeldRefusals(appParts.clock) };
  const { random, clock, trustProxy = [], side = 'all' } = parts;
  const callerAddress = createCallerAddress(trustProxy);
  const answerError = createAnswerError(parts.log);
  const app = Fastify({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT_MS,
    return503OnClosing: false,
    // Checked with an error body, see addErrorHandlers.
    http: { requireHostHeader: false },
    routerOptions: { maxParamLength: LONGEST_PARAMETER, ignoreTrailingSlash: true },
    genReqId: createRequestIds(random),
    ...earlyErrorHandlers(answerError, clock),
  });
  beginOneByOne(app);
  app.decorateRequest('identity', undefined);
  app.decorateRequest('login', undefined);
  app.decorateRequest('cost', undefined);
  app.decorateRequest('caller', '');
  app.addHook('onRequest', (request, _, done) => {
    request.caller = callerAddress(request.ip, request.headers);
    done();
  });
  addErrorHandlers(app, answerError, clock);
  readJsonBodies(app);
  addCommonHeaders(app);
  destroyUnreadUploads(app, clock);
  boundUnreadAnswers(app, clock);
  if (parts.admitRequest)
    app.addHook('onRequest', ({ caller }, _, done) => {
      parts.admitRequest?.(caller);
      done();
    });
  limitAnonymousCalls(app, parts);
  chargeCalls(app, parts);
  if (parts.answered) reportAnswers(app, parts.answered);

  const routes = [...parts.routes, ...operationRoutes(parts)].filter((route) => isOnSide(route, side));
  for (const route of routes) if (!route.streamBody) addRoute(app, route, parts);
  await app.register((group, _, done) => {
    passBodiesOn(group);
    for (const route of routes) if (route.streamBody) addRoute(group, route, parts);
    done();
  });
  answerUnserved(app, [...routes, ...DOCUMENTATION_PATHS]);
  await serveDocumentation(app, () => buildOpenApi(routes, parts.version, parts.exampleReceiver));
  return app;
}

function paidBy({ access, isFor }: Route) {
  if (access !== 'public') return { paidBy: 'caller' } as const;
  if (isFor === 'probes') return { paidBy: 'nobody' } as const;
  return isFor === 'scrapers' ? ({ paidBy: 'scraper' } as const) : {};
}

interface RouteParts extends AppParts {
  /** Waits until a call of an organisation, or from an address, may be refused for its number. */
  holdRefusal(caller: number | string): Promise<void>;
}

function addRoute(app: FastifyInstance, route: Route, parts: RouteParts): void {
  const validateParams = route.params && createValidator(route.params, 'text');
  const validateQuery = route.anyQuery ? undefined : createQueryValidator(route.query);
  const validateBody = route.body && createValidator(route.body, 'body');

  const answer = async (request: FastifyRequest, reply: FastifyReply) => {
    const cost = request.cost as CallCost;
    await ownTurn(cost.work.organisationId);
    return onBehalfOf(cost, async () => {
      const params = { ...(request.params as object) };
      const query = { ...(request.query as object) };
      validateParams?.(params);
      validateQuery?.(query);
      if (validateBody && request.body === undefined && !route.bodyOptional) {
        throw new ApiError('BadRequest', 'The call needs a JSON body.');
      }
      if (request.body !== undefined) validateBody?.(request.body);
      const answer = await route.handler(routeRequest(route, request, reply, params, query));
      request.login = answer.login;
      return charged(() => answerWith(reply, answer));
    });
  };

  app.route({
    method: route.method,
    url: route.path,
    ...(route.access === 'public' ? { bodyLimit: ANONYMOUS_BODY_LIMIT } : {}),
    config: {
      ...paidBy(route),
      takesBody: route.body !== undefined,
      isStream: route.streamBody !== undefined,
      ...(route.nullMembers ? { nullMembers: route.nullMembers } : {}),
    },
    // Before the body is read: a caller without permission costs no more than its headers.
    onRequest: (request, _, done) => {
      const begin = (identity: Identity | OperatorIdentity | undefined) => {
        request.cost = { work: workOf(route, identity), loopMs: 0 };
        done();
      };
      const identity = identify(route, request, parts);
      if (identity instanceof Promise) known(request, identity).then(begin, done);
      else begin(identity);
    },
    onResponse: (request, reply, done) => {
      const { statusCode: status } = reply;
      if (parts.audit && isAudited(route, status)) {
        const { identity, login, params, body, caller: ip, cost } = request;
        parts.audit.add(
          auditEntry(route, { identity, login, params, body, ip, status, changed: cost?.changed }),
        );
      }
      done();
    },
    handler: (request, reply) => known(request, answer(request, reply)),
  });
}

function routeRequest(
  route: Route,
  request: FastifyRequest,
  reply: FastifyReply,
  params: unknown,
  query: unknown,
): RouteRequest {
  const { identity, headers, caller: ip } = request;
  // A request without any body has no content type either, and no parser is called: the unread body is empty then.
  const body = route.streamBody ? (request.body ?? request.raw) : request.body;
  let gone: AbortSignal | undefined;
  return {
    params,
    query,
    body,
    identity,
    headers,
    ip,
    // Created when a handler needs it: most do not.
    get signal() {
      gone ??= goneSignal(reply);
      return gone;
    },
  };
}

/** Aborts when the caller closes the connection, also if that was before. */
function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  const abort = () => gone.abort(new Error('the caller closed the connection'));
  // 'close' comes after every answer too, when nothing listens to the signal any more.
  if (raw.closed) abort();
  else raw.once('close', abort);
  return gone.signal;
}

function chargeCalls(app: FastifyInstance, { charge, chargeOperator }: AppParts): void {
  app.addHook('onResponse', ({ identity, cost, headers, routeOptions }, reply, done) => {
    if (cost) cost.answered = true;
    if (cost && identity) {
      if ('organisationId' in identity) {
        const bytes = Number(headers['content-length'] ?? 0) + Number(reply.getHeader('content-length') ?? 0);
        charge?.(identity, { loopMs: cost.loopMs, bytes });
      } else if (!routeOptions.config.isStream) chargeOperator?.(cost.loopMs);
    }
    done();
  });
}

function reportAnswers(app: FastifyInstance, answered: (answer: Answered) => void): void {
  app.addHook('onResponse', ({ method, routeOptions, refusedPath, identity }, reply, done) => {
    const organisationId = identity && 'organisationId' in identity ? identity.organisationId : undefined;
    answered({
      method,
      route: refusedPath ?? routeOptions.config?.metricsRoute ?? routeOptions.url,
      status: reply.statusCode,
      durationMs: reply.elapsedTime,
      ...(organisationId === undefined ? {} : { organisationId }),
    });
    done();
  });
}
