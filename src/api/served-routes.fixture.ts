import type { FastifyInstance } from 'fastify';

/** The lines of Fastify's tree of routes, each with the path from the root: `GET /api/v2/data_stream/:id`. */
export function servedBy(app: FastifyInstance): string[] {
  const parts: string[] = [];
  return app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', part = '', methods] = /^([│├└─\s]*)(\S*)(?: \(([A-Z, ]+)\))?/.exec(line) ?? [];
      const depth = indent.length / '├── '.length;
      parts.length = Math.max(0, depth - 1);
      parts.push(part);
      return (methods ?? '').split(', ').flatMap((method) => (method ? [`${method} ${parts.join('')}`] : []));
    });
}
