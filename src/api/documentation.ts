import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { type KeptBody, keptBodies, pageFiles, sendKept } from './kept-bodies.ts';

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

/** Where the files of the page are that come with the package. */
const PAGE_FILES = new URL('./static/', import.meta.resolve('@fastify/swagger-ui'));

/**
 * Serves the document at `/api/openapi.json` and lets people try the API at `/api/docs`.
 * @param build makes the document at the first request: a starting node does not wait for it
 */
export async function serveDocumentation(app: FastifyInstance, build: () => object): Promise<void> {
  let document: object | undefined;
  const built = () => {
    document ??= build();
    return document;
  };
  // Anybody may ask for these without a token, so each is made once.
  const kept = keptBodies();
  const openApi = () =>
    kept.of('openapi.json', () => ({
      type: 'application/json; charset=utf-8',
      plain: Buffer.from(JSON.stringify(built())),
    }));
  app.get('/api/openapi.json', (request, reply) => sendKept(request, reply, openApi()));
  const files = pageFiles(PAGE_FILES);
  const pageBody = (path: string): KeptBody | undefined => {
    if (path === '/api/docs/json') return openApi();
    const make = files.get(path.slice('/api/docs/static/'.length));
    return path.startsWith('/api/docs/static/') && make ? kept.of(path, make) : undefined;
  };
  // The pages ask this plugin for the document, and get the one that is built in its place.
  await app.register(swagger, { mode: 'static', specification: { document: { openapi: '3.1.0' } as never } });
  await app.register(async (pages) => {
    pages.addHook('onRequest', (request, reply, done) => {
      const path = request.url.split('?', 1)[0] as string;
      // Nothing links to this form of the document, and writing it takes the node much longer.
      if (path === '/api/docs/yaml') return void reply.redirect('/api/openapi.json');
      const body = pageBody(path);
      if (!body) return done();
      void sendKept(request, reply, body);
    });
    await pages.register(swaggerUi, {
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
  });
}
