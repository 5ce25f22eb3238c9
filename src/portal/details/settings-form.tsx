import { Paper, Title } from '@mantine/core';
import { type ReactNode, useRef, useState } from 'react';
import type { components } from '../generated/api.ts';
import { useUnsaved } from '../lib/address.ts';
import { api, type DataStream, perform } from '../lib/api.ts';
import { notify } from '../lib/notices.ts';
import { CallFailed, type Problem, problemFrom } from '../lib/problem.ts';
import { change } from '../lib/query.ts';

export type Patch = components['schemas']['PatchDataStream'];
export interface SettingsProps {
  readonly stream: DataStream;
}

/** Somebody else has changed what the form shows, since it was opened. */
const CHANGED_MEANWHILE: Problem = {
  status: 412,
  message:
    'Someone changed this data stream meanwhile, and nothing was saved. Load the page again to see the change, then make yours.',
  fields: {},
};

/**
 * Sends a change and says how it went; a fault stays beside the form. A form does not undo what somebody else has changed in its own part
 * of the stream since it was opened. Other parts may change meanwhile: the forms beside it do so too.
 * @param part what the form changes
 */
export function useSave({ stream }: SettingsProps, part: (stream: DataStream) => unknown) {
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const own = JSON.stringify(part(stream)) ?? '';
  /** The part as the form knows it; and after it was saved, the version that it was saved as. */
  const known = useRef({ part: own, saved: '' });
  if (known.current.saved === stream.etag) known.current = { part: own, saved: '' };
  /** @returns whether it was saved */
  const save = async (body: Patch, done: string): Promise<boolean> => {
    setBusy(true);
    setProblem(undefined);
    try {
      if (known.current.part !== own) throw new CallFailed(CHANGED_MEANWHILE);
      const params = { path: { id: stream.id } };
      const headers = { 'If-Match': stream.etag };
      await change(async () => {
        const call = api.PATCH('/api/v2/data_stream/{id}', { params, headers, body });
        const { logged, response } = await perform('PATCH', `/api/v2/data_stream/${stream.id}`, body, call);
        known.current = { ...known.current, saved: response.headers.get('etag') ?? '' };
        notify({ text: done, tone: 'done', call: logged });
      });
      return true;
    } catch (error) {
      setProblem(problemFrom(error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { problem, setProblem, busy, save };
}

/** The values of a form when it was last saved. A form with other values asks before it closes. */
export function useSaved(held: unknown): (saved: unknown) => void {
  const [saved, setSaved] = useState(() => JSON.stringify(held));
  useUnsaved(JSON.stringify(held) !== saved);
  return (now) => setSaved(JSON.stringify(now));
}

export function Section({ title, children }: { readonly title: string; readonly children: ReactNode }) {
  return (
    <Paper withBorder p="lg" component="section" aria-label={title}>
      <Title order={2} size="h4" mb="sm">
        {title}
      </Title>
      {children}
    </Paper>
  );
}
