import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A body that is the same for everybody. It is made and compressed once. */
export interface KeptBody {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly gzip: Buffer;
}

type Made = Pick<KeptBody, 'type' | 'plain'>;

/** A browser asks each time whether its copy is still good. */
const REVALIDATED = 'no-cache';

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  png: 'image/png',
  svg: 'image/svg+xml',
};

/** Bodies by name. Each is made when somebody asks for it first. */
export function keptBodies(): { of(name: string, make: () => Made): KeptBody } {
  const bodies = new Map<string, KeptBody>();
  return {
    of: (name, make) => {
      const known = bodies.get(name);
      if (known) return known;
      const { type, plain } = make();
      const etag = `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
      const body = { type, plain, etag, gzip: gzipSync(plain) };
      bodies.set(name, body);
      return body;
    },
  };
}

/** What makes the bodies of a directory's files, by name. */
export function pageFiles(directory: URL): ReadonlyMap<string, () => Made> {
  const types = readdirSync(directory).map((name) => [name, TYPES[name.split('.').at(-1) ?? '']] as const);
  return new Map(
    types.flatMap(([name, type]) =>
      type ? [[name, () => ({ type, plain: readFileSync(new URL(name, directory)) })] as const] : [],
    ),
  );
}

export function sendKept({ headers }: FastifyRequest, reply: FastifyReply, body: KeptBody): FastifyReply {
  reply.type(body.type).headers({ vary: 'accept-encoding', etag: body.etag, 'cache-control': REVALIDATED });
  if (headers['if-none-match'] === body.etag) return reply.status(304).send();
  if (!/\bgzip\b/.test(headers['accept-encoding'] ?? '')) return reply.send(body.plain);
  return reply.header('content-encoding', 'gzip').send(body.gzip);
}
