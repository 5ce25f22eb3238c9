import { Button, Paper, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import type { components } from '../generated/api.ts';
import { api, read } from '../lib/api.ts';
import { formatCount, formatNumberOf } from '../lib/format.ts';
import { formatJson } from '../lib/json.ts';
import { type Preview, readPreview, totals } from '../lib/preview.ts';
import { useRead } from '../lib/query.ts';
import { useSettled } from '../lib/settled.ts';
import { lineOf } from '../lib/tail.ts';
import { ExchangePart } from './exchange.tsx';
import { Code, Failed, Loading, Time } from './show.tsx';

type Body = components['schemas']['PreviewDataStream'];

/** Samples that are shown at first. */
const FIRST = 3;

/**
 * A preview of a data stream while its form is filled in: the passing records of the last 24 hours, samples, and the
 * request that would be sent. Nothing is created and nothing is sent.
 * @param body undefined while the form cannot be sent
 */
export function PreviewPane({ body }: { readonly body: Body | undefined }) {
  const asked = useSettled(body);
  const preview = useRead(['preview', asked], async (signal) => {
    if (!asked) return null;
    const call = api.POST('/api/v2/data_stream/preview', { body: asked, parseAs: 'text', signal });
    return readPreview(await read<string>(call as never));
  });
  // A moment ago it was another form: its figures stay until the new ones come.
  const [last, setLast] = useState<Preview>();
  if (preview.data && preview.data !== last) setLast(preview.data);
  const shown = preview.data ?? (preview.problem ? undefined : last);
  return (
    <Paper withBorder p="md" component="section" aria-label="Preview" className="preview">
      <Stack gap="sm">
        <Title order={2} size="h4">
          Preview
        </Title>
        {preview.problem && asked && <Failed problem={preview.problem} title="There is no preview" />}
        {!shown && !preview.problem && asked && <Loading what="the preview" retry={preview.reload} />}
        {!asked && <Text size="sm">A preview appears here once the filters are complete.</Text>}
        {shown && asked && <Shown preview={shown} wantsRequest={asked.destination !== undefined} />}
      </Stack>
    </Paper>
  );
}

function Shown({ preview, wantsRequest }: { readonly preview: Preview; readonly wantsRequest: boolean }) {
  const { hours, complete, samples, request } = preview;
  const { records, matched } = totals(hours);
  const [all, setAll] = useState(false);
  return (
    <>
      <Text role="status" size="sm">
        {wordsOf(records, matched, complete)}
      </Text>
      {records > 0 && <Hours hours={hours} />}
      {samples.length > 0 && (
        <div>
          <Text size="sm" fw={700}>
            The newest records that pass
          </Text>
          {samples.slice(0, all ? undefined : FIRST).map((sample, index) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a sample is its place in the list
            <Sample key={index} text={sample} />
          ))}
          {!all && samples.length > FIRST && (
            <Button size="compact-xs" variant="default" onClick={() => setAll(true)}>
              Show all {samples.length}
            </Button>
          )}
        </div>
      )}
      {request && (
        <details>
          <summary>The request that would deliver the first of them</summary>
          <ExchangePart title="Request" first={`${request.method} ${request.url}`} part={request} />
        </details>
      )}
      {wantsRequest && !request && records > 0 && matched > 0 && (
        <Text size="sm" c="dimmed">
          This connection type logs in or uploads before it sends records: its request is not shown.
        </Text>
      )}
    </>
  );
}

function wordsOf(records: number, matched: number, complete: boolean): string {
  if (records === 0) return 'No record of this kind arrived in the last 24 hours.';
  const most = complete ? '' : 'at least ';
  const arrived = `In the last 24 hours ${most}${formatNumberOf(records, 'record')} arrived.`;
  if (matched === records) return `${arrived} All of them would be delivered.`;
  return `${arrived} ${formatCount(matched)} of them would be delivered.`;
}

function Sample({ text }: { readonly text: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary className="wrap">{lineOf(text)}</summary>
      {open && <Code text={formatJson(text)} label="Sample record" />}
    </details>
  );
}

const WIDTH = 240;
const HEIGHT = 48;

/**
 * Two bars an hour, one before the other: the arrived records, and the passing ones. A table holds all that they
 * show.
 */
function Hours({ hours }: { readonly hours: Preview['hours'] }) {
  const most = Math.max(1, ...hours.map(({ records }) => records));
  const width = WIDTH / Math.max(1, hours.length);
  const bars = (of: (hour: Preview['hours'][number]) => number) =>
    hours
      .map((hour, slot) => {
        const count = of(hour);
        if (count === 0) return '';
        const height = Math.max(1.5, (count / most) * HEIGHT).toFixed(2);
        return `M${(slot * width).toFixed(2)} ${HEIGHT}v-${height}h${(width * 0.8).toFixed(2)}v${height}z`;
      })
      .join('');
  return (
    <div className="hours">
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        width="100%"
        height={HEIGHT}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        <path d={`M0 ${HEIGHT - 0.5}h${WIDTH}`} stroke="var(--portal-line)" />
        <path d={bars(({ records }) => records)} className="arrived" />
        <path d={bars(({ matched }) => matched)} className="passes" />
      </svg>
      <details>
        <summary>By the hour of arrival</summary>
        <table className="figures">
          <thead>
            <tr>
              <th scope="col">Hour</th>
              <th scope="col">Arrived</th>
              <th scope="col">Pass</th>
            </tr>
          </thead>
          <tbody>
            {hours
              .filter(({ records }) => records > 0)
              .map(({ hour, records, matched }) => (
                <tr key={hour}>
                  <td>
                    <Time at={hour} />
                  </td>
                  <td style={{ textAlign: 'right' }}>{formatCount(records)}</td>
                  <td style={{ textAlign: 'right' }}>{formatCount(matched)}</td>
                </tr>
              ))}
          </tbody>
        </table>
      </details>
    </div>
  );
}
