import { api, type DataStream, perform } from '../lib/api.ts';
import { problemFrom } from '../lib/problem.ts';
import { tell, tellFailure } from './notices.tsx';
import { STATUS, streamName } from './status.tsx';

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

export function restartStream(stream: DataStream): Promise<boolean> {
  return attempt(`${streamName(stream)} is restarted.`, () =>
    perform(
      'POST',
      `/api/v2/data_stream/${stream.id}/restart`,
      undefined,
      api.POST('/api/v2/data_stream/{id}/restart', { params: { path: { id: stream.id } } }),
    ),
  );
}

export function deleteStream(stream: DataStream): Promise<boolean> {
  return attempt(`${streamName(stream)} is deleted.`, () =>
    perform(
      'DELETE',
      `/api/v2/data_stream/${stream.id}`,
      undefined,
      api.DELETE('/api/v2/data_stream/{id}', { params: { path: { id: stream.id } } }),
    ),
  );
}

/** Does something and tells how it went. */
export async function attempt(
  done: string,
  call: () => Promise<{ readonly logged: Parameters<typeof tell>[1] }>,
): Promise<boolean> {
  try {
    const { logged } = await call();
    tell(done, logged);
    return true;
  } catch (error) {
    tellFailure(problemFrom(error).message);
    return false;
  }
}
