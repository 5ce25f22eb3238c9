/** The forms in which destinations get records: values of `destination.format`, and what a receiver sees. */
export const FORMATS = {
  Json: 'Records as JSON, with the bytes that ingest received: as an array, each alone, or one a line in a file.',
  NdJson: 'One record a line, as JSON.',
  Csv: 'A table with a header.',
  CloudEvents:
    'Each record as a CloudEvent (version 1.0, structured mode), with the record as its `data`; several in one request as a batch.',
  Parquet: 'A table with typed columns, compressed, for files.',
} as const;

export type Format = keyof typeof FORMATS;
