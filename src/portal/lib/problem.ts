import type { components } from '../generated/api.ts';

type ErrorBody = components['schemas']['Error'];

/** Why a call did not work, for people; and which fields are the reason, by their JSON pointer into the body. */
export interface Problem {
  readonly status: number;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** A call that failed. */
export class CallFailed extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message);
    this.name = 'CallFailed';
    this.problem = problem;
  }
}

export function problemOf(status: number, body: unknown): Problem {
  const { message, errors } = (typeof body === 'object' && body !== null ? body : {}) as Partial<ErrorBody>;
  const fields: Record<string, string> = {};
  for (const entry of errors ?? []) {
    const { path, message: text } = entry as { path?: unknown; message?: unknown };
    if (typeof path === 'string' && path !== '' && typeof text === 'string') fields[path] ??= sentence(text);
  }
  return { status, message: message ?? `The node answered with ${status}.`, fields };
}

export function problemFrom(error: unknown): Problem {
  if (error instanceof CallFailed) return error.problem;
  if (error instanceof TypeError) {
    return {
      status: 0,
      message: 'The node cannot be reached. Check the connection, then try again.',
      fields: {},
    };
  }
  return { status: 0, message: error instanceof Error ? error.message : String(error), fields: {} };
}

/** Faults that no field of the form shows. */
export function unshown(problem: Problem, shown: readonly string[]): string[] {
  return Object.entries(problem.fields)
    .filter(([path]) => !shown.some((field) => path === field || path.startsWith(`${field}/`)))
    .map(([path, message]) => (path === '/destination' ? message : `${path}: ${message}`));
}

/** The fault of a field, or of something inside it: entry 2 of a list, for example. */
export function faultAt(problem: Problem | undefined, path: string): string | undefined {
  if (!problem) return undefined;
  const own = problem.fields[path];
  if (own !== undefined) return own;
  const inside = Object.entries(problem.fields).filter(([each]) => each.startsWith(`${path}/`));
  if (inside.length === 0) return undefined;
  return inside
    .map(([each, message]) => {
      const place = each.slice(path.length + 1);
      return /^\d+$/.test(place) ? `Line ${Number(place) + 1}: ${message}` : message;
    })
    .join(' ');
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
