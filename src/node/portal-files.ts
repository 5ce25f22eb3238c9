import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Random } from '../lib/clock.ts';

/** `npm run build` writes the portal here. */
export const PORTAL_DIRECTORY = fileURLToPath(new URL('../../dist/portal', import.meta.url));

/** Addresses that the portal routes itself: each serves the same page. The API and the inbox keep their own addresses. */
const VIEWS = [
  '/',
  '/data-streams',
  '/data-streams/*',
  '/records',
  '/api-access',
  '/account',
  '/users',
  '/notifications',
];
/** Addresses for programs: an unknown one gets the API's error. */
const FOR_PROGRAMS = /^\/(api|operator|assets|metrics|healthz|readyz)(\/|$)/;

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

interface PortalFile {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  /** Compressed at the first request, then kept: most starts of a node are not followed by a visit to the portal. */
  readonly br: () => Promise<Buffer>;
  readonly gzip: () => Promise<Buffer>;
}

/** Whether the portal was built: if not, a node serves a plain page instead. */
export function isPortalBuilt(directory = PORTAL_DIRECTORY): boolean {
  return existsSync(join(directory, 'index.html'));
}

/**
 * Serves the built portal. Browsers may cache the files, whose names contain a hash of their content. They fetch the page
 * again each time; its policy allows only scripts and styles of this node. Each page has a new nonce, for the few styles
 * that the portal's components create at run time.
 * @param earlier directories with files of earlier versions of the portal: an open page still requests them
 */
export function portalFiles({
  random,
  directory = PORTAL_DIRECTORY,
  earlier = [],
}: {
  readonly random: Random;
  readonly directory?: string;
  readonly earlier?: readonly string[];
}): FastifyPluginAsync {
  return async (app) => {
    const page = readFileSync(join(directory, 'index.html'), 'utf8');
    const files = new Map([...earlier, directory].flatMap(readFiles));
    for (const path of VIEWS) app.get(path, COUNTED, (_, reply) => sendPage(reply, page, random));
    app.get('/assets/*', COUNTED, (request, reply) => {
      const file = files.get(pathOf(request));
      return file ? sendFile(request, reply, file) : reply.callNotFound();
    });
    // A person who mistyped an address gets a page; a program gets the error that it expects.
    app.get('/*', COUNTED, (request, reply) => {
      const path = pathOf(request);
      const isPerson = !FOR_PROGRAMS.test(path) && request.headers.accept?.includes('text/html');
      return isPerson ? sendPage(reply.status(404), page, random) : reply.callNotFound();
    });
  };
}

/** One value of the label `route` for every address of the portal. */
const COUNTED = { config: { metricsRoute: 'portal' } } as const;

const pathOf = ({ url }: FastifyRequest) => url.split('?', 1)[0] as string;

function sendPage(reply: FastifyReply, page: string, random: Random): FastifyReply {
  const nonce = Buffer.from(random.bytes(16)).toString('base64url');
  return reply
    .headers({
      'content-type': TYPES['.html'],
      'cache-control': 'no-store',
      'content-security-policy': policy(nonce),
      'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=()',
    })
    .send(page.replace('__NONCE__', nonce));
}

function policy(nonce: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

async function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  file: PortalFile,
): Promise<FastifyReply> {
  reply.headers({
    'cache-control': 'public, max-age=31536000, immutable',
    etag: file.etag,
    vary: 'Accept-Encoding',
  });
  if (request.headers['if-none-match'] === file.etag) return reply.status(304).send();
  const encoding = encodingFor(request);
  if (encoding) reply.header('content-encoding', encoding);
  return reply.type(file.type).send(encoding ? await file[encoding]() : file.plain);
}

function encodingFor({ headers }: FastifyRequest): 'br' | 'gzip' | undefined {
  const accepted = String(headers['accept-encoding'] ?? '');
  return (['br', 'gzip'] as const).find((encoding) =>
    new RegExp(`(^|[ ,])${encoding}($|[ ,;](?!\\s*q=0(\\.0*)?($|[ ,])))`).test(accepted),
  );
}

/** All files except the page, by address. They are few and small, so the node reads them when it starts. */
function readFiles(directory: string): [string, PortalFile][] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const files = names.filter((name) => TYPES[extname(name)] !== undefined && name !== 'index.html');
  return files.map((name): [string, PortalFile] => {
    const plain = readFileSync(join(directory, name));
    const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
    const type = TYPES[extname(name)] as string;
    const br = once(() => promisify(brotliCompress)(plain, QUALITY));
    return [`/${name}`, { type, etag, plain, br, gzip: once(() => promisify(gzip)(plain)) }];
  });
}

/** Quality 9: nearly as small as the best, in a tenth of the time, for which the first visitor waits. */
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };

function once(make: () => Promise<Buffer>): () => Promise<Buffer> {
  let made: Promise<Buffer> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
