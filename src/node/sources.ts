import type { Ingest } from '../ingest/ingest.ts';
import { mqttSource } from '../ingest/sources/mqtt-source.ts';
import { createSources, type WantedSource } from '../ingest/sources/run-sources.ts';
import { systemRandom } from '../lib/system-clock.ts';
import { mappingsOf } from './app.ts';
import type { NodeParts } from './parts.ts';

/**
 * The tasks beside the partitions that fetch records from elsewhere.
 * @throws Error when a setting names an unknown kind or mapping
 */
export function sourcesOf({ config, clock, telemetry, kept, storage: { log } }: NodeParts, ingest: Ingest) {
  const wanted: WantedSource[] = [
    ...config.sourceNatsSubjects.map(
      ({ holds, address: subject }): WantedSource => ({
        name: `nats ${subject}`,
        holds,
        source: async (context, signal) => {
          const { sourceNatsUrl: servers, sourceNatsRejected: rejected = '' } = config;
          // Nodes without such a source do not load the client.
          const { natsSource } = await import('../ingest/sources/nats-source.ts');
          return natsSource({ servers, subject, rejected })(context, signal);
        },
      }),
    ),
    ...config.sourceMqttTopics.map(
      ({ holds, address: topic }): WantedSource => ({
        name: `mqtt ${topic}`,
        holds,
        source: mqttSource({
          url: config.sourceMqttUrl ?? '',
          topic,
          rejected: config.sourceMqttRejected ?? '',
        }),
      }),
    ),
  ];
  const mappings = mappingsOf(config);
  return createSources(
    { ingest, mappings, kept, clock, random: systemRandom, telemetry },
    wanted,
    log.partitions,
  );
}
