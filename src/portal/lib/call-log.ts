import { createLoginStore, useStore } from './store.ts';

/** A call that the reader just made by hand, without secrets. */
export interface LoggedCall {
  readonly key: number;
  readonly at: string;
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly status: number;
}

const MOST = 50;
const calls = createLoginStore<readonly LoggedCall[]>([]);
let next = 1;

export function logCall(call: Omit<LoggedCall, 'key'>): LoggedCall {
  const logged = { ...call, key: next++ };
  calls.set([logged, ...calls.get()].slice(0, MOST));
  return logged;
}

export const useCalls = (): readonly LoggedCall[] => useStore(calls);

/** A line for a shell; the token stays in a variable. */
export function curlOf(
  { method, path, body }: Pick<LoggedCall, 'method' | 'path' | 'body'>,
  origin: string,
): string {
  const lines = [`curl -X ${method} '${origin}${path}'`, `-H "Authorization: Bearer $SIMSTREAM_TOKEN"`];
  if (body !== undefined) {
    lines.push("-H 'Content-Type: application/json'");
    lines.push(`-d '${JSON.stringify(body, null, 2).replaceAll("'", `'\\''`)}'`);
  }
  return lines.join(' \\\n  ');
}
