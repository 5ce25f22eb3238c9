import { useRef, useState } from 'react';
import type { components, paths } from '../generated/api.ts';
import { api, type ConnectionType, perform } from './api.ts';
import { type Problem, problemFrom } from './problem.ts';
import { credentialSchema, type FormValues, initialValues, toCredentials } from './schema.ts';

type TestBody = components['schemas']['TestDataStream'];
export type TestAnswer =
  paths['/api/v2/data_stream/test']['post']['responses'][200]['content']['application/json'];

/** The form of a destination, as it stands. */
export interface HeldDestination {
  readonly values: FormValues;
  readonly format: string;
}
type Stored = components['schemas']['DataStream']['destination'];

/** The form at first. @param stored the destination of the stream that is changed, if it has this connection type */
export function heldDestination(type: ConnectionType, stored?: Stored): HeldDestination {
  return {
    values: initialValues(credentialSchema(type), credentialsOf(stored)),
    format: stored?.format ?? type.formats[0] ?? 'Json',
  };
}

/** The credentials of a call. @param stored as for `heldDestination` */
export function givenCredentials(type: ConnectionType, held: HeldDestination, stored?: Stored) {
  return toCredentials(credentialSchema(type), held.values, held.format, credentialsOf(stored));
}

const credentialsOf = (stored?: Stored) => (stored?.credentials ?? {}) as Readonly<Record<string, unknown>>;

/** Where the form shows faults: JSON pointers into the body of a call. */
export function fieldsOfDestination(type: ConnectionType): string[] {
  const names = Object.keys(credentialSchema(type).properties);
  return [...names.map((name) => `/destination/credentials/${name}`), '/destination/format'];
}

/**
 *     untested ──test──▶ testing ──answer──▶ tested, or failed
 *         ▲                 │                  │
 *         └─────────────────┴─── other input ──┘       A test of input that the form no longer has is cancelled.
 */
type State =
  | { readonly is: 'untested' }
  | { readonly is: 'testing'; readonly of: string }
  | { readonly is: 'tested'; readonly of: string; readonly answer: TestAnswer }
  | { readonly is: 'failed'; readonly of: string; readonly problem: Problem };

export interface ConnectionTest {
  readonly testing: boolean;
  /** The result of the test, for the present values of the form. */
  readonly answer: TestAnswer | undefined;
  /** Why the destination cannot be used as the form has it now. */
  readonly problem: Problem | undefined;
  test(): Promise<void>;
}

/**
 * Tests a destination. A result belongs to the tested values: once the form has other values, the result is dropped.
 * @param destination the present values of the form
 * @param bodyOf the body of the call
 */
export function useConnectionTest(destination: unknown, bodyOf: () => Promise<TestBody>): ConnectionTest {
  const [state, setState] = useState<State>({ is: 'untested' });
  const running = useRef<AbortController>(undefined);
  const now = JSON.stringify(destination);
  const fits = state.is !== 'untested' && state.of === now;
  if (state.is === 'testing' && !fits) running.current?.abort();

  const test = async () => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    setState({ is: 'testing', of: now });
    const settle = (settled: State) => {
      if (running.current !== abort) return;
      setState(abort.signal.aborted ? { is: 'untested' } : settled);
    };
    try {
      const path = '/api/v2/data_stream/test';
      const body = await bodyOf();
      const { data } = await perform('POST', path, body, api.POST(path, { body, signal: abort.signal }));
      settle({ is: 'tested', of: now, answer: data });
    } catch (error) {
      settle({ is: 'failed', of: now, problem: problemFrom(error) });
    }
  };
  return {
    testing: fits && state.is === 'testing',
    answer: fits && state.is === 'tested' ? state.answer : undefined,
    problem: fits && state.is === 'failed' ? state.problem : undefined,
    test,
  };
}
