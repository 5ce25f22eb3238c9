import { gzipSync } from 'node:zlib';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';

/**
 * Everything comes from this node. The page sets styles of elements from its script and embeds icons as data URLs;
 * no script stands in the page itself.
 */
const POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': "'self' 'unsafe-inline'",
  'img-src': "'self' data:",
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
};

export const DOCUMENTATION_PATHS = [
  { method: 'GET', path: '/api/openapi.json' },
  { method: 'GET', path: '/api/docs' },
] as const;

/**
 * Serves the document at `/api/openapi.json` and lets people try the API at `/api/docs`.
 * @param build makes the document, when somebody asks for it first: a node that starts does not wait for it
 */
export async function serveDocumentation(app: FastifyInstance, build: () => object): Promise<void> {
  let document: object | undefined;
  let bytes: Buffer | undefined;
  let compressed: Buffer | undefined;
  const built = () => {
    document ??= build();
    return document;
  };
  // Anybody may ask for it without a token, so it costs as little as a file.
  app.get('/api/openapi.json', async (request, reply) => {
    bytes ??= Buffer.from(JSON.stringify(built()));
    reply.type('application/json; charset=utf-8').header('vary', 'accept-encoding');
    if (!/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(bytes);
    compressed ??= gzipSync(bytes);
    return reply.header('content-encoding', 'gzip').send(compressed);
  });
  // The pages ask this plugin for the document, and get the one that is built in its place.
  await app.register(swagger, { mode: 'static', specification: { document: { openapi: '3.1.0' } as never } });
  await app.register(swaggerUi, {
    routePrefix: '/api/docs',
    staticCSP: POLICY,
    theme: { title: 'simstream API' },
    transformSpecification: built,
    transformSpecificationClone: false,
    uiConfig: {
      deepLinking: true,
      docExpansion: 'list',
      layout: 'BaseLayout',
      tryItOutEnabled: true,
      persistAuthorization: false,
    },
  });
}
