import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { nextSlice, Slices } from '../lib/slices.ts';
import { recordBytes } from '../records/block.ts';
import { compileFields, decimal, textAt } from '../records/fields.ts';
import type { RecordKind } from '../records/record-index.ts';
import { recordTime } from '../records/record-time.ts';
import { type FieldType, RECORD_FIELDS } from '../records/schema.ts';
import type { RecordFile } from './contract.ts';

/**
 * Records as a Parquet file. A column per field of the record schema, in its order; its name is the path with underscores:
 * `operator_country_mcc`. Fields outside of the schema are left out. A value that does not fit the type of its column is null.
 */
type SchemaElement = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number];
type Columns = Parameters<ParquetWriter['write']>[0]['columnData'];

interface Kind {
  readonly element: Omit<SchemaElement, 'name'>;
  /** The value of a field from its text, see `textAt`; undefined: it does not fit. */
  read(text: string, literal: string): string | boolean | bigint | undefined;
}

/** Numbers of costs and volumes: 18 digits, ten of them decimals. What has more decimals is cut. */
const DECIMALS = 10;
const MOST_UNSCALED = 10n ** 18n;

const TEXT: Kind = {
  element: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  read: (text) => text,
};
const INTEGER: Kind = {
  element: { type: 'INT64', converted_type: 'UINT_64' },
  read: (text) => {
    const value = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
    return value !== undefined && value < 2n ** 64n ? value : undefined;
  },
};

const KINDS: Readonly<Record<FieldType, Kind>> = {
  'record id': INTEGER,
  'organisation id': INTEGER,
  'type id': INTEGER,
  integer: INTEGER,
  decimal: {
    element: { type: 'INT64', converted_type: 'DECIMAL', precision: 18, scale: DECIMALS },
    read: (text) => {
      const match = /^(-?\d+)\.(\d+)$/.exec(decimal(text, DECIMALS));
      if (!match) return undefined;
      const unscaled = BigInt(`${match[1]}${(match[2] as string).slice(0, DECIMALS)}`);
      return unscaled < MOST_UNSCALED && unscaled > -MOST_UNSCALED ? unscaled : undefined;
    },
  },
  timestamp: {
    element: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
    read: (text) => {
      const time = recordTime(text);
      return time === undefined ? undefined : BigInt(time);
    },
  },
  text: TEXT,
  flag: {
    element: { type: 'BOOLEAN' },
    read: (text) =>
      text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : undefined,
  },
  // JSON text, so that an object and a text are told apart.
  object: { ...TEXT, read: (_, literal) => literal },
};

interface Column {
  readonly name: string;
  readonly path: string;
  readonly kind: Kind;
}

/** @param hashed paths of fields that hold the text of a hash, whatever the schema says */
function columnsOf(kind: RecordKind, hashed: readonly string[]): Column[] {
  return RECORD_FIELDS[kind].map(({ path, type }) => {
    const isHash = hashed.some((each) => path === each || path.startsWith(`${each}.`));
    return { name: path.replaceAll('.', '_'), path, kind: isHash ? TEXT : KINDS[type] };
  });
}

/** Records of a row group. It is encoded at once, in some 40 ms; larger ones make smaller files, and longer pauses. */
const ROWS = 2_000;

/** The bytes of a file, row group by row group: no more than one is in memory. */
export async function* parquetFile(file: RecordFile, createdBy: string): AsyncGenerator<Uint8Array> {
  const columns = columnsOf(file.kind, file.hashed ?? []);
  const output = new Output();
  const writer = new ParquetWriter({ writer: output, schema: schemaOf(columns), createdBy });
  const slices = new Slices();
  let rows = new Rows(columns);
  for await (const { block, from, to } of file.segments()) {
    for (let at = from; at < to; at++) {
      const record = recordBytes(block, at);
      rows.add(record);
      await slices.add(record.length);
      if (rows.count < ROWS) continue;
      writer.write({ columnData: rows.columns(), rowGroupSize: ROWS });
      rows = new Rows(columns);
      yield output.take();
      await nextSlice();
    }
  }
  if (rows.count > 0) writer.write({ columnData: rows.columns(), rowGroupSize: ROWS });
  writer.finish();
  yield output.take();
}

/** Gives its bytes away as they come. Places in the file count on. */
class Output extends ByteWriter {
  take(): Uint8Array {
    const bytes = Buffer.from(this.getBytes());
    this.index = 0;
    return bytes;
  }
}

function schemaOf(columns: readonly Column[]): SchemaElement[] {
  return [
    { name: 'records', num_children: columns.length },
    ...columns.map(
      ({ name, kind }): SchemaElement => ({ name, repetition_type: 'OPTIONAL', ...kind.element }),
    ),
  ];
}

class Rows {
  count = 0;
  readonly #columns: readonly Column[];
  readonly #reader: ReturnType<typeof compileFields>;
  readonly #values: unknown[][];

  constructor(columns: readonly Column[]) {
    this.#columns = columns;
    this.#reader = compileFields(columns.map(({ path }) => path));
    this.#values = columns.map(() => []);
  }

  add(record: Uint8Array): void {
    const places = this.#reader.read(record, 0, record.length);
    for (const [at, { kind }] of this.#columns.entries()) {
      const from = places[at * 2] as number;
      const to = places[at * 2 + 1] as number;
      const text = textAt(record, from, to);
      const literal = () => Buffer.from(record.subarray(from, to)).toString('utf8');
      const value =
        text === undefined ? undefined : kind.read(text, kind === KINDS.object ? literal() : text);
      this.#values[at]?.push(value ?? null);
    }
    this.count++;
  }

  columns(): Columns {
    return this.#columns.map(({ name }, at) => ({ name, data: this.#values[at] as unknown[] }));
  }
}
