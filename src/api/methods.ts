import type { FastifyInstance, HTTPMethods } from 'fastify';
import { ApiError } from '../errors.ts';
import { CORS_PREFIX } from './http-headers.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** A path that is served, in Fastify's form, and its methods. */
interface ServedPath {
  readonly method: string;
  readonly path: string;
}

/**
 * Answers 405 with `Allow` where a path is served, but not by the method of the request; before the body is read, and
 * without a token: the paths are public. A lookup such as `…/status` stands where an id would be, so that without this
 * DELETE would look for a data stream of that name.
 */
export function refuseOtherMethods(app: FastifyInstance, served: readonly ServedPath[]): void {
  for (const [path, methods] of methodsByPath(served)) {
    const allow = [...METHODS.filter((method) => methods.has(method)), 'OPTIONS'].join(', ');
    const others = METHODS.filter((method) => !methods.has(method));
    app.route({
      method: others as HTTPMethods[],
      url: path,
      onRequest: async ({ method }) => {
        const message = `This path does not take ${method}; it takes ${allow}.`;
        throw new ApiError('MethodNotAllowed', message, { headers: { allow } });
      },
      handler: async () => {
        throw new Error('a request that is refused reached its handler');
      },
    });
    // Under the prefix the preflight of browsers is answered for all paths at once.
    if (!path.startsWith(CORS_PREFIX)) {
      app.options(path, async (_, reply) => reply.status(204).header('allow', allow).send());
    }
  }
}

function methodsByPath(served: readonly ServedPath[]): ReadonlyMap<string, ReadonlySet<string>> {
  const byPath = new Map<string, Set<string>>();
  for (const { method, path } of served) {
    const methods = byPath.get(path) ?? new Set();
    methods.add(method);
    // Fastify answers HEAD wherever it answers GET.
    if (method === 'GET') methods.add('HEAD');
    byPath.set(path, methods);
  }
  return byPath;
}
