import type { Chance } from './chance.ts';
import type { Weathers } from './link.ts';
import type { Model } from './model.ts';
import type { Moments } from './moments.ts';
import type { SimulatedNode } from './node.ts';
import type { Desk } from './people.ts';
import type { Receiver } from './receiver.ts';
import type { Storage } from './storage.ts';
import type { SimulatedTime } from './time.ts';

/** The world as what happens in it sees it. */
export interface Scene {
  readonly time: SimulatedTime;
  readonly model: Model;
  readonly moments: Moments;
  readonly storage: Storage;
  readonly receivers: ReadonlyMap<string, Receiver>;
  readonly weather: Weathers;
  readonly embedded: boolean;
  readonly partitions: number;
  /** Registered ones. */
  readonly organisations: Set<number>;
  /** Why no connector can be opened at the moment. */
  cannotOpen: string | undefined;
  log(text: string): void;
  violated(kind: string, text: string): void;
  nextId(): number;
  /** A node that takes requests; undefined: there is none. */
  someNode(chance: Chance): SimulatedNode | undefined;
  /** undefined: it takes no requests. */
  nodeNamed(name: string): SimulatedNode | undefined;
  desk(chance: Chance): Desk | undefined;
  /** Kills a node; another starts `awayMs` later. */
  crash(node: SimulatedNode, awayMs: number): void;
  stop(node: SimulatedNode): void;
}
