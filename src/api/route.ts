import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import type { Static, TObject, TSchema } from 'typebox';
import type { Identity } from '../auth/identity.ts';
import type { ErrorToken } from '../errors.ts';

/**
 * One call of the HTTP API. The route table is the single source of routing, access, validation and OpenAPI:
 * a file per resource exports a function that takes what it needs and returns `Route[]`, app.ts serves them.
 */
export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** In Fastify's form: `/api/v2/data_stream/:id`. */
  readonly path: string;
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  /**
   * The callers that are allowed. `public`: anybody. `operator`: the bearer of the operator token. `read`: any identity of an
   * organisation. `write`: the same without observers; application tokens act like administrators here. `administer`:
   * administrators who have signed in, see access.ts.
   */
  readonly access: Access;
  /** A call that changes nothing but the caller's own session or password: observers may make it too. */
  readonly changesOwnLogin?: boolean;
  /** A call that a user makes who must set up a second factor before the login: it takes a set-up token too. */
  readonly setsUpMfa?: boolean;
  readonly params?: TObject;
  /** All parameters that the call takes; others are refused by name. */
  readonly query?: TObject;
  /** Takes any query and ignores it: probes and scrapers add parameters of their own. */
  readonly anyQuery?: boolean;
  /** A public call that programs make to watch the node: the limit of calls without a token does not hold for it, see anonymous.ts. */
  readonly isFor?: 'probes' | 'scrapers';
  /** Schema of the JSON body. Members that are null are removed before validation; unknown ones are ignored, see misspelt.ts. */
  readonly body?: TSchema;
  /** Members of the body for which null means "none", and not "not given". */
  readonly nullMembers?: readonly string[];
  /** The call takes the header If-Match, and refuses another version with PreconditionFailed. */
  readonly ifMatch?: boolean;
  /** Named examples of the body. The page that tries the API fills in the first one, so it must work. */
  readonly bodyExamples?: BodyExamples;
  /** Only a call with a JSON body may be made without one when this is true; the handler then gets undefined. */
  readonly bodyOptional?: boolean;
  /** Hands the request's body to the handler as an unread stream, whatever its content type; it checks limits itself. */
  readonly streamBody?: {
    /** Content type → schema and examples, for the documentation. */
    readonly contentTypes: Readonly<
      Record<string, { readonly schema: TSchema; readonly examples?: BodyExamples }>
    >;
    readonly description?: string;
  };
  /** Answers that are no error, by status. */
  readonly responses: { readonly [status: number]: RouteResponse };
  /** Errors of this call beyond those that follow from access, parameters and body; for the documentation. */
  readonly errors?: readonly ErrorToken[];
  /** false keeps the call out of the OpenAPI document. */
  readonly documented?: boolean;
  handler(request: RouteRequest): Promise<Answer> | Answer;
}

export type BodyExamples = Readonly<Record<string, { readonly summary: string; readonly value: unknown }>>;

/** The webhook of the examples. The demo puts its inbox in its place, so that the examples of the page work. */
export const EXAMPLE_RECEIVER = 'https://example.com/simstream';

type Access = 'public' | 'operator' | 'read' | 'write' | 'administer';

export interface OperatorIdentity {
  readonly actor: 'operator';
}

export interface RouteResponse {
  readonly description: string;
  /** Absent: the body is empty. */
  readonly schema?: TSchema;
  /** If it is not JSON. */
  readonly contentType?: string;
  /** Text in other content types, which a parameter of the call asks for. */
  readonly texts?: readonly string[];
  /** Header name → meaning. */
  readonly headers?: { readonly [name: string]: string };
}

/** The input of a handler: parameters and body satisfy the route's schemas. */
export interface RouteRequest<Params = unknown, Query = unknown, Body = unknown, Caller = unknown> {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly identity: Caller;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** The caller's address. */
  readonly ip: string;
  /** Aborts when the caller closes the connection before the answer. */
  readonly signal: AbortSignal;
}

/**
 * A handler's answer; an error is thrown as ApiError instead. Without `body` the answer's body is empty; text, bytes and
 * streams are sent as they are under the `content-type` among `headers`, anything else as JSON.
 */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: { readonly [name: string]: string };
  /** For a successful login: the user, for the audit log. */
  readonly login?: { readonly actor: string; readonly organisationId: number } | undefined;
}

type IdentityFor<A extends Access> = A extends 'read' | 'write' | 'administer'
  ? Identity
  : A extends 'operator'
    ? OperatorIdentity
    : undefined;

type StaticOr<S, Otherwise> = S extends TSchema ? Static<S> : Otherwise;

interface TypedRoute<
  A extends Access,
  P extends TObject | undefined,
  Q extends TObject | undefined,
  B extends TSchema | undefined,
  S extends Route['streamBody'],
> extends Omit<Route, 'access' | 'params' | 'query' | 'body' | 'streamBody' | 'handler'> {
  readonly access: A;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly streamBody?: S;
  handler(
    request: RouteRequest<
      StaticOr<P, Record<string, never>>,
      StaticOr<Q, Record<string, never>>,
      S extends object ? Readable : StaticOr<B, undefined>,
      IdentityFor<A>
    >,
  ): Promise<Answer> | Answer;
}

/** Checks a route's handler against its own schemas, and gives it as an entry of the table. */
export function defineRoute<
  const A extends Access,
  P extends TObject | undefined = undefined,
  Q extends TObject | undefined = undefined,
  B extends TSchema | undefined = undefined,
  S extends Route['streamBody'] = undefined,
>(route: TypedRoute<A, P, Q, B, S>): Route {
  return route as unknown as Route;
}
