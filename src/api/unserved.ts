import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import { ApiError } from '../errors.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** As much of a path as an error repeats. */
const SHOWN_PATH = 200;

/** A path that is served, in Fastify's form, and one of its methods. */
interface Served {
  readonly method: string;
  readonly path: string;
}

/** A path with all its methods. */
interface ServedPath {
  readonly path: string;
  readonly segments: readonly string[];
  readonly methods: ReadonlySet<string>;
  /** The value of the header Allow. */
  readonly allow: string;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The path in the table that the request names, if it does not take the method of the request. */
    refusedPath: string | undefined;
  }
}

/**
 * Answers requests that no route serves: 405 with `Allow` if the path takes other methods, otherwise 404, and OPTIONS
 * for every served path. All of it before the body is read, and without a token: the paths are public.
 *
 * A route for each method that is refused would be simpler, but they would be most of the routes of a node, and most of the
 * time that it takes to create them. So the paths are looked up when the router has found nothing. Only where it finds
 * another path is the refusal a route: without it, `DELETE …/data_stream/status` would look for a data stream of that name.
 */
export function answerUnserved(app: FastifyInstance, served: readonly Served[]): void {
  const paths = pathsOf(served);
  for (const path of paths) refuseHidden(app, path, paths);

  const answer = (request: FastifyRequest, reply: FastifyReply): FastifyReply | ApiError => {
    const found = findPath(request.url, paths);
    if (!found) return notFound(request);
    request.refusedPath = found.path;
    // Not under /api/: a route answers the preflight of browsers for all paths there.
    if (request.method === 'OPTIONS') return reply.status(204).header('allow', found.allow).send();
    return refusal(found, request.method);
  };
  app.decorateRequest('refusedPath', undefined);
  app.addHook('onRequest', (request, reply, done) => {
    if (!request.is404) return done();
    const answered = answer(request, reply);
    if (answered instanceof ApiError) done(answered);
  });
  // Called by routes that serve all other paths, such as the portal's.
  app.setNotFoundHandler((request, reply) => {
    const answered = answer(request, reply);
    return answered instanceof ApiError ? reply.send(answered) : answered;
  });
}

/** Routes that refuse the methods of `path` which the router would find at a path with a parameter in its place. */
function refuseHidden(app: FastifyInstance, path: ServedPath, paths: readonly ServedPath[]): void {
  const others = paths.filter((other) => other !== path && fits(other, path.segments));
  const hidden = METHODS.filter(
    (method) => !path.methods.has(method) && others.some(({ methods }) => methods.has(method)),
  );
  if (hidden.length === 0) return;
  app.route({
    method: hidden as HTTPMethods[],
    url: path.path,
    onRequest: ({ method }, _, done) => done(refusal(path, method)),
    handler: async () => {
      throw new Error('a request that is refused reached its handler');
    },
  });
}

function refusal({ allow }: ServedPath, method: string): ApiError {
  const message = `This path does not take ${method}; it takes ${allow}.`;
  return new ApiError('MethodNotAllowed', message, { headers: { allow } });
}

function notFound({ method, url }: FastifyRequest): ApiError {
  const path = url.split('?', 1)[0] as string;
  const shown = path.length > SHOWN_PATH ? `${path.slice(0, SHOWN_PATH)}…` : path;
  return new ApiError('NotFound', `There is no ${method} ${shown}.`);
}

/** The path that the router would find, if it took the method. */
function findPath(url: string, paths: readonly ServedPath[]): ServedPath | undefined {
  const segments = segmentsOf(url.split('?', 1)[0] as string);
  return paths.find((path) => fits(path, segments));
}

function fits({ segments: pattern }: ServedPath, segments: readonly string[]): boolean {
  return (
    pattern.length === segments.length &&
    pattern.every((segment, index) => isParameter(segment) || segment === segments[index])
  );
}

/** Without the slash at the end, which the router ignores. */
const segmentsOf = (path: string) => path.replace(/\/$/, '').split('/');

const isParameter = (segment: string) => segment.startsWith(':');

/** In the order of the router: it takes a parameter only where no name fits. */
function pathsOf(served: readonly Served[]): readonly ServedPath[] {
  const byPath = new Map<string, Set<string>>();
  for (const { method, path } of served) {
    const methods = byPath.get(path) ?? new Set();
    methods.add(method);
    // Fastify answers HEAD wherever it answers GET.
    if (method === 'GET') methods.add('HEAD');
    byPath.set(path, methods);
  }
  const paths = [...byPath].map(([path, methods]) => {
    const allow = [...METHODS.filter((method) => methods.has(method)), 'OPTIONS'].join(', ');
    return { path, segments: segmentsOf(path), methods, allow };
  });
  const rank = ({ segments }: ServedPath) => segments.map((each) => (isParameter(each) ? 1 : 0)).join('');
  return paths.sort((a, b) => rank(a).localeCompare(rank(b)));
}
