import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { parser } from '@prometheus-io/lezer-promql';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { parse } from 'yaml';
import { createMetrics } from '../src/telemetry/metrics.ts';

/** The alert rules and the dashboard name only metrics and labels that a node has, in expressions that Prometheus parses. */
const RULES = 'deploy/monitoring/alerts.yaml';
const DASHBOARD = 'deploy/monitoring/dashboard.json';
/** Read when the metrics are asked for, as the sources of a node name them; and what Prometheus itself adds. */
const OTHER_METRICS = [...observedNames('src/node'), 'up'];
/** Labels that Prometheus adds to each sample, and the bounds of a histogram. */
const OTHER_LABELS = ['job', 'instance', 'le'];

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

const rules = (parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as { panels: Panel[] };
const documented = readFileSync('docs/monitoring.md', 'utf8');

const known = await namesAndLabels();

describe(RULES, () => {
  for (const { alert, expr, labels, annotations, ...rule } of rules) {
    test(alert, () => {
      check(expr);
      assert.match(rule.for ?? '1m', /^\d+[smhd]$/);
      assert.match(labels.severity, /^(critical|warning)$/);
      assert.ok(annotations.summary.endsWith('.') && annotations.description.endsWith('.'));
      assert.ok(documented.includes(`| \`${alert}\` |`), 'docs/monitoring.md says what to do about it');
    });
  }

  test('has an alert for each that docs/monitoring.md explains', () => {
    const explained = [...documented.matchAll(/^\| `(Simstream\w+)` \|/gm)].map(([, name]) => name);
    assert.deepEqual(explained.sort(), rules.map(({ alert }) => alert).sort());
  });
});

describe(DASHBOARD, () => {
  for (const { title, type, description, targets = [] } of panels) {
    test(title, () => {
      if (type !== 'row') assert.ok(targets.length > 0 && description);
      for (const { expr } of targets) check(expr.replaceAll('$__rate_interval', '5m'));
    });
  }

  test('panels have ids of their own and do not overlap', () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
    );
    assert.equal(new Set(cells).size, cells.length);
  });
});

test('a wrong expression is noticed', () => {
  assert.throws(() => check('sum(rate(simstream_records_ingested_total[5m])'), /no PromQL/);
  assert.throws(() => check('rate(simstream_records_ingestd_total[5m])'), /no such metric/);
  assert.throws(() => check('simstream_partitions_held{partition="1"}'), /no such label/);
});

function observedNames(folder: string): string[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.ts'));
  const names = files.flatMap((file) =>
    [...readFileSync(`${folder}/${file}`, 'utf8').matchAll(/name: '(simstream_\w+)'/g)].map(
      ([, name]) => name as string,
    ),
  );
  assert.ok(names.length > 0, `${folder} names no gauge`);
  return names;
}

/** @throws AssertionError unless it is PromQL over metrics and labels of a node */
function check(expr: string): void {
  const of = (from: number, to: number) => expr.slice(from, to);
  parser.parse(expr).iterate({
    enter({ type, name, from, to }) {
      assert.ok(!type.isError, `no PromQL at ${from}: ${expr}`);
      const text = of(from, to);
      if (name === 'VectorSelector') {
        const metric = /^\w+/.exec(text)?.[0] ?? '';
        assert.ok(known.metrics.has(metric), `no such metric: ${metric}`);
      }
      if (name === 'LabelName') assert.ok(known.labels.has(text), `no such label: ${text}`);
    },
  });
}

async function namesAndLabels(): Promise<{ metrics: Set<string>; labels: Set<string> }> {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  createMetrics(registry, '0');
  const labels = new Set(OTHER_LABELS);
  const metrics = new Set(OTHER_METRICS);
  for (const { name, type } of await registry.getMetricsAsJSON()) {
    const { labelNames = [] } = registry.getSingleMetric(name) as { labelNames?: readonly string[] };
    for (const label of labelNames) labels.add(label);
    const parts = type.toString() === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    for (const part of parts) metrics.add(name + part);
  }
  return { metrics, labels };
}
