import type { components } from '../generated/api.ts';

type ErrorBody = components['schemas']['Error'];

/** Why a call did not work, for people; and which fields are the reason, by their JSON pointer into the body. */
export interface Problem {
  /** Status of the answer; 0: no answer came. */
  readonly status: number;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
  /** Seconds after which the node takes the call, where it says so. */
  readonly retryAfter?: number;
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

export function problemOf(status: number, body: unknown, retryAfter?: string | null): Problem {
  const { message, errors } = (typeof body === 'object' && body !== null ? body : {}) as Partial<ErrorBody>;
  const fields: Record<string, string> = {};
  for (const entry of errors ?? []) {
    const { path, message: text } = entry as { path?: unknown; message?: unknown };
    if (typeof path === 'string' && path !== '' && typeof text === 'string') fields[path] ??= sentence(text);
  }
  const seconds = Number(retryAfter ?? Number.NaN);
  return {
    status,
    message: message ?? `The node answered with status ${status}.`,
    fields,
    ...(Number.isFinite(seconds) && seconds >= 0 ? { retryAfter: seconds } : {}),
  };
}

export function problemFrom(error: unknown): Problem {
  if (error instanceof CallFailed) return error.problem;
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return { status: 0, message: 'The node did not answer in time. Try again.', fields: {} };
  }
  if (error instanceof TypeError) {
    return {
      status: 0,
      message: 'The node cannot be reached. Check the connection, then try again.',
      fields: {},
    };
  }
  return { status: 0, message: error instanceof Error ? error.message : String(error), fields: {} };
}

/** The reason passes by itself: the same call may work a moment later. */
export function isWorthAnotherTry({ status }: Problem): boolean {
  return status === 0 || status === 429 || status === 503;
}

const FIRST_DELAY = 1000;
const LONGEST_DELAY = 30_000;

/** Milliseconds to wait after the try that failed: as long as the node asks for, otherwise twice as long each time. */
export function retryDelayOf({ retryAfter }: Problem, failed: number): number {
  return Math.min(retryAfter === undefined ? FIRST_DELAY * 2 ** failed : retryAfter * 1000, LONGEST_DELAY);
}

/** Faults that no field of the form shows. */
function unshown(problem: Problem, shown: readonly string[]): string[] {
  return Object.entries(problem.fields)
    .filter(([path]) => !shown.some((field) => path === field || path.startsWith(`${field}/`)))
    .map(([path, message]) => (path === '/destination' ? message : `${path}: ${message}`));
}

/** The part of a problem that no field of the form shows; undefined if the fields show all of it. */
export function restOf(problem: Problem | undefined, shown: readonly string[]): Problem | undefined {
  if (!problem) return undefined;
  const others = unshown(problem, shown);
  if (others.length === 0 && Object.keys(problem.fields).length > 0) return undefined;
  return { ...problem, message: others.join(' ') || problem.message };
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

/** `is missing: URL` is for programs, beside the path; at its field it reads `URL is missing`. */
function sentence(text: string): string {
  const missing = /^is missing(?:: (?!the )(.+))?$/.exec(text);
  if (missing) return `${missing[1] ?? 'This'} is missing`;
  return text.charAt(0).toUpperCase() + text.slice(1);
}
