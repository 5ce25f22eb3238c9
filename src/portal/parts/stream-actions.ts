import { api, type DataStream, perform } from '../lib/api.ts';
import type { LoggedCall } from '../lib/call-log.ts';
import { notify, notifyFailure } from '../lib/notices.ts';
import { change } from '../lib/query.ts';
import { STATUS, streamName } from '../lib/streams.ts';

/** Pauses a stream that runs or wants to, resumes one that is paused. @returns whether it was done */
export function switchStream(stream: DataStream, on: boolean): Promise<boolean> {
  const body = { status: { id: on ? STATUS.running : STATUS.paused } };
  return attempt(`${streamName(stream)} ${on ? 'is resumed' : 'is paused'}.`, () =>
    perform(
      'PATCH',
      `/api/v2/data_stream/${stream.id}`,
      body,
      api.PATCH('/api/v2/data_stream/{id}', { params: { path: { id: stream.id } }, body }),
    ),
  );
}

/** @param running it is not in Error, and waits for its next try */
export function restartStream(stream: DataStream, running = false): Promise<boolean> {
  const done = running ? 'tries again now' : 'is restarted';
  return attempt(`${streamName(stream)} ${done}.`, () =>
    perform(
      'POST',
      `/api/v2/data_stream/${stream.id}/restart`,
      undefined,
      api.POST('/api/v2/data_stream/{id}/restart', { params: { path: { id: stream.id } } }),
    ),
  );
}

export function deleteStream(stream: DataStream): Promise<boolean> {
  const call = () =>
    perform(
      'DELETE',
      `/api/v2/data_stream/${stream.id}`,
      undefined,
      api.DELETE('/api/v2/data_stream/{id}', { params: { path: { id: stream.id } } }),
    );
  // Its own details are not read again: they do not exist any more.
  return attempt(`${streamName(stream)} is deleted.`, call, ['streams']);
}

/**
 * Makes a change, reports its outcome, and reads the data again that shows it.
 * @param names of the data to read again, if it is not the streams
 * @returns whether it was done
 */
export async function attempt(
  done: string,
  call: () => Promise<{ readonly logged: LoggedCall }>,
  names?: readonly string[],
): Promise<boolean> {
  try {
    const run = async () => notify({ text: done, tone: 'done', call: (await call()).logged });
    await change(run, undefined, names);
    return true;
  } catch (error) {
    notifyFailure(error);
    return false;
  }
}
