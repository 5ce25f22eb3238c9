import type { Random } from '../../lib/clock.ts';
import type { Device } from './device.ts';
import type { EventContent } from './records.ts';

/** The functions that a device needs from its surroundings. */
export interface Surroundings {
  readonly random: Random;
  now(): number;
  /** Runs `run` after `delay` milliseconds; never, if the delay is infinite. */
  later(delay: number, run: () => void): void;
  emitUsage(text: (id: bigint) => string): void;
  emitSms(text: (id: bigint) => string): void;
  emitEvent(device: Device, content: EventContent): void;
  /** A number that no other call gave. */
  number(): number;
}
