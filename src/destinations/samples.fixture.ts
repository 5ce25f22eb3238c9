import type { DestinationType } from './contract.ts';
import { fileNameOf, folderOf } from './folders.fixture.ts';

export interface FieldSample {
  /** A value that the field takes, other than its default; of an array, its items differ. */
  readonly valid: unknown;
  /** More values that it takes: at the limits of what the connector checks itself. The longest text is among them. */
  readonly more?: readonly unknown[];
  /** Right in type and length, but nothing that the connector can use; of an array, items. */
  readonly malformed?: readonly unknown[];
  /** Of a secret: what answers show for `valid`. */
  readonly masked?: unknown;
  /** A value (masked, of a secret) that points to another destination, for which stored secrets are not meant. */
  readonly elsewhere?: unknown;
}

/** The samples of a connector for tests of the API and of the portal: they lie in the connector's folder. */
export interface ConnectorSamples {
  /** By field of the credentials. */
  readonly fields: Readonly<Record<string, FieldSample>>;
  /** Typing mistakes in the form, and the message at the faulty field. */
  readonly typedWrongly: readonly {
    readonly type: Readonly<Record<string, string>>;
    readonly at: string;
    readonly says: RegExp;
  }[];
}

/** The samples of a connection type: `KeenIO` has them in keen/keen-io.samples.fixture.ts. */
export async function connectorSamples(type: DestinationType): Promise<ConnectorSamples> {
  const file = `${fileNameOf(type)}.samples.fixture.ts`;
  const { samples } = (await import(`${folderOf(file)}/${file}`)) as { samples: ConnectorSamples };
  return samples;
}
