import { fileURLToPath } from 'node:url';
import { forkOwned } from '../../tests/support/owned.ts';

/**
 * Calls between the bench and its child processes, over the channel that Node.js gives a forked child. Values are
 * copied as structured clones, so typed arrays and NaN survive.
 */
type Handlers = { readonly [name: string]: (argument: never) => unknown };

/** The calls of a child as its parent makes them. */
type Remote<H extends Handlers> = {
  readonly [Name in keyof H]: (...argument: Parameters<H[Name]>) => Promise<Awaited<ReturnType<H[Name]>>>;
};

export interface Child<H extends Handlers> {
  readonly pid: number;
  readonly call: Remote<H>;
  /** Kills the process. */
  end(): Promise<void>;
}

interface Request {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

type Response =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

/** In the child: answers calls until the parent ends. */
export function answerCalls(handlers: Handlers): void {
  process.on('message', (request: Request) => {
    const handler = handlers[request.name] as (argument: unknown) => unknown;
    Promise.resolve()
      .then(() => handler(request.argument))
      .then(
        (value) => process.send?.({ id: request.id, value } satisfies Response),
        (error: unknown) =>
          process.send?.({
            id: request.id,
            error: error instanceof Error ? (error.stack ?? error.message) : String(error),
          } satisfies Response),
      );
  });
  process.on('disconnect', () => process.exit());
}

/** In the parent: starts a module of this folder as a child. Calls fail when the child ends. */
export function startChild<H extends Handlers>(
  file: string,
  nodeArguments: readonly string[] = [],
): Child<H> {
  const child = forkOwned(fileURLToPath(new URL(file, import.meta.url)), [], {
    serialization: 'advanced',
    execArgv: [...nodeArguments],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let ended: string | undefined;
  let ids = 0;

  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = `${file} ended (${signal ?? `code ${code}`})`;
      for (const { reject } of waiting.values()) reject(new Error(ended));
      waiting.clear();
      resolve();
    });
  });
  child.on('message', (response: Response) => {
    const call = waiting.get(response.id);
    waiting.delete(response.id);
    if ('error' in response) call?.reject(new Error(`${file}: ${response.error}`));
    else call?.resolve(response.value);
  });

  const call = (name: string, argument: unknown) =>
    new Promise((resolve, reject) => {
      if (ended !== undefined) return reject(new Error(ended));
      const id = ++ids;
      waiting.set(id, { resolve, reject });
      child.send({ id, name, argument } satisfies Request);
    });
  return {
    pid: child.pid as number,
    call: new Proxy({} as Remote<H>, {
      get: (_, name) => (argument: unknown) => call(String(name), argument),
    }),
    end: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Milliseconds of the machine's monotonic clock: the same in every process. */
export function machineTime(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
