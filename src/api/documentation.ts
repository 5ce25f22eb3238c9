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

/** Serves the document at `/api/openapi.json` and lets people try the API at `/api/docs`. */
export async function serveDocumentation(app: FastifyInstance, document: object): Promise<void> {
  const text = JSON.stringify(document);
  app.get('/api/openapi.json', async (_, reply) => reply.type('application/json; charset=utf-8').send(text));
  // The plugin's types do not know documents of version 3.1; it passes the document on unchanged.
  await app.register(swagger, { mode: 'static', specification: { document: document as never } });
  await app.register(swaggerUi, {
    routePrefix: '/api/docs',
    staticCSP: POLICY,
    theme: { title: 'simstream API' },
    uiConfig: {
      deepLinking: true,
      docExpansion: 'list',
      layout: 'BaseLayout',
      tryItOutEnabled: true,
      persistAuthorization: false,
    },
  });
}
