import { useEffect, useRef, useState } from 'react';
import { api, read } from '../lib/api.ts';
import { createBatch } from '../lib/batch.ts';
import { formatCount } from '../lib/format.ts';
import { useRead } from '../lib/query.ts';
import { type Delivered, slotsOf } from '../lib/series.ts';

const WIDTH = 160;
const HEIGHT = 36;
const REFRESH = 30_000;
/** Streams that one call answers for at most. */
const MOST_PER_CALL = 50;

const readDelivered = createBatch<Delivered>(async (ids) => {
  const query = { ids: ids.join(','), range: '24h' as const };
  const found = await read(api.GET('/api/v2/data_stream/series', { params: { query } }));
  return new Map(found.streams.map(({ id, buckets }) => [id, { step_seconds: found.step_seconds, buckets }]));
}, MOST_PER_CALL);

/** Records delivered in the last 24 hours, read once the card comes into sight. */
export function Sparkline({ id }: { readonly id: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => {
      if (entry?.isIntersecting) setSeen(true);
    });
    if (place.current) observer.observe(place.current);
    return () => observer.disconnect();
  }, []);
  return (
    <div className="spark" ref={place} style={{ minHeight: HEIGHT + 18 }}>
      {seen && <Drawing id={id} />}
    </div>
  );
}

function Drawing({ id }: { readonly id: string }) {
  const { data } = useRead(['sparkline', id], async () => (await readDelivered(id)) ?? null, REFRESH);
  if (!data) return null;
  const { slots } = slotsOf(data, '24h', Date.now());
  const values = slots.map((bucket) => bucket?.delivered ?? 0);
  const total = values.reduce((sum, value) => sum + value, 0);
  const most = Math.max(1, ...values);
  const width = WIDTH / slots.length;
  const bars = values
    .map((value, slot) => {
      if (value === 0) return '';
      const height = Math.max(1.5, (value / most) * HEIGHT);
      return `M${(slot * width).toFixed(2)} ${HEIGHT}v-${height.toFixed(2)}h${(width * 0.8).toFixed(2)}v${height.toFixed(2)}z`;
    })
    .join('');
  const label = `${formatCount(total)} delivered in 24 h`;
  return (
    <>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        width="100%"
        height={HEIGHT}
        preserveAspectRatio="none"
        aria-hidden="true"
      >
        <path d={`M0 ${HEIGHT - 0.5}h${WIDTH}`} stroke="var(--portal-line)" />
        <path d={bars} fill="var(--portal-chart)" />
      </svg>
      <div style={{ fontSize: 12, color: 'var(--mantine-color-dimmed)' }}>{label}</div>
    </>
  );
}
