import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { chromiumArguments, chromiumPath } from '../tests/support/browser.ts';
import { removeDirectory, spawnOwned, temporaryDirectory } from '../tests/support/owned.ts';

/** A Chromium that any process can drive if it knows the address. */
interface PlainBrowser {
  /** Address of its protocol, `ws://…`. */
  readonly address: string;
  close(): Promise<void>;
}

/** A connection to a page that only asks: it enables no domain that would record data in the page's process. */
export interface PlainPage {
  evaluate(expression: string): Promise<unknown>;
  /** @returns the result of the method; see the DevTools protocol */
  send<T>(method: string, params?: object): Promise<T>;
  /** The same, for the browser as a whole. */
  sendBrowser<T>(method: string, params?: object): Promise<T>;
  close(): void;
}

/** @throws Error that says how to install Chromium, when it is missing */
export async function startPlainBrowser(): Promise<PlainBrowser> {
  const directory = temporaryDirectory();
  const child = spawnOwned(
    chromiumPath(),
    [
      ...chromiumArguments(),
      '--headless',
      '--no-sandbox',
      '--remote-debugging-port=0',
      `--user-data-dir=${directory}`,
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  const gone = once(child, 'exit');
  const address = await addressOf(child.stderr as NodeJS.ReadableStream);
  return {
    address,
    close: async () => {
      child.kill('SIGKILL');
      await gone;
      removeDirectory(directory);
    },
  };
}

async function addressOf(output: NodeJS.ReadableStream): Promise<string> {
  const lines = createInterface({ input: output });
  for await (const line of lines) {
    const address = /^DevTools listening on (ws:.*)$/.exec(line)?.[1];
    if (address !== undefined) {
      output.resume();
      return address;
    }
  }
  throw new Error('Chromium ended before it listened');
}

/** Attaches to the page whose address begins with `url`. */
export async function attach(address: string, url: string): Promise<PlainPage> {
  const socket = new WebSocket(address);
  await once(socket, 'open');
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  socket.addEventListener('message', ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id?: number;
      result?: unknown;
      error?: { message: string };
    };
    const call = waiting.get(id ?? 0);
    waiting.delete(id ?? 0);
    if (error) call?.reject(new Error(error.message));
    else call?.resolve(result);
  });
  let last = 0;
  const send = <T>(method: string, params: object, sessionId?: string): Promise<T> => {
    const id = ++last;
    socket.send(JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) }));
    return new Promise((resolve, reject) => waiting.set(id, { resolve: resolve as never, reject }));
  };
  const { targetInfos } = await send<{ targetInfos: { targetId: string; url: string }[] }>(
    'Target.getTargets',
    {},
  );
  const target = targetInfos.find((info) => info.url.startsWith(url));
  if (!target) throw new Error(`no page shows ${url}`);
  const { targetId } = target;
  const { sessionId } = await send<{ sessionId: string }>('Target.attachToTarget', {
    targetId,
    flatten: true,
  });
  return {
    send: (method, params = {}) => send(method, params, sessionId),
    sendBrowser: (method, params = {}) => send(method, params),
    evaluate: async (expression) => {
      const answer = await send<{ result: { value?: unknown }; exceptionDetails?: { text: string } }>(
        'Runtime.evaluate',
        { expression, returnByValue: true },
        sessionId,
      );
      if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.text);
      return answer.result.value;
    },
    close: () => socket.close(),
  };
}
