import { type Decimal, readDecimal } from './exact.ts';

/** Volumes of records are in MB of 10^6 bytes. */
const megabytes = (text: string): Decimal => readDecimal(text) as Decimal;

/** The size of each unit in MB. */
export const UNITS: Readonly<Record<string, Decimal>> = {
  B: megabytes('0.000001'),
  kB: megabytes('0.001'),
  KB: megabytes('0.001'),
  MB: megabytes('1'),
  GB: megabytes('1000'),
  KiB: megabytes('0.001024'),
  MiB: megabytes('1.048576'),
  GiB: megabytes('1073.741824'),
};
