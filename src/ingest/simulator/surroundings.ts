import type { Random } from '../../lib/clock.ts';
import type { Device } from './device.ts';
import type { EventContent } from './records.ts';

/** What a device needs of the world around it. */
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
