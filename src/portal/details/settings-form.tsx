import { Paper, Title } from '@mantine/core';
import { type ReactNode, useState } from 'react';
import type { components } from '../generated/api.ts';
import { useUnsaved } from '../lib/address.ts';
import { api, type DataStream, perform } from '../lib/api.ts';
import { notify } from '../lib/notices.ts';
import { type Problem, problemFrom } from '../lib/problem.ts';
import { change } from '../lib/query.ts';

export type Patch = components['schemas']['PatchDataStream'];
export interface SettingsProps {
  readonly stream: DataStream;
}

/** Sends a change and says how it went; a fault stays beside the form. */
export function useSave({ stream }: SettingsProps) {
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  /** @returns whether it was saved */
  const save = async (body: Patch, done: string): Promise<boolean> => {
    setBusy(true);
    setProblem(undefined);
    try {
      const params = { path: { id: stream.id } };
      await change(async () => {
        const call = api.PATCH('/api/v2/data_stream/{id}', { params, body });
        const { logged } = await perform('PATCH', `/api/v2/data_stream/${stream.id}`, body, call);
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
