/**
 * Shares a bounded amount (bytes of memory, say) fairly: first between groups, then between the members of a group. A
 * holder may keep its share for long, so a fair order of grants is not enough: no holder may take so much that the others
 * must wait until it is released.
 *
 *  S1  The granted total never exceeds `capacity` + `reserve`.
 *  S2  A group may hold at most half as much as it leaves free: a single group a third of the capacity, and less the more
 *      other groups hold. So each new group finds free room, and large early grants even out as they are released. A group
 *      that holds nothing gets its first request as soon as it fits. Within a group, a member may hold at most as much of
 *      the group's share as it leaves to the other members.
 *  S3  A small request of a member that holds nothing is granted at once, from the reserve if necessary; S2 also applies to
 *      the reserve. Such a request never waits for the amounts of others.
 *  S4  Waiting requests are granted in turns (deficit round robin): groups get equal amounts, not equal numbers of
 *      requests, and so do members within a group. The first group whose request does not fit keeps the room reserved.
 *  S5  A request for more than the largest amount counts as the largest, so that every request can be granted.
 *  S6  A request leaves nothing behind: a group or member that holds and wants nothing is removed.
 */
interface SharesOptions {
  readonly capacity: number;
  /** In addition to the capacity, for small requests only. */
  readonly reserve: number;
  /** A request up to this is small. */
  readonly small: number;
  /** Every request counts as at least this much. */
  readonly least: number;
}

/** A request: waiting, granted, or over. */
export interface Share {
  readonly granted: boolean;
  /** Releases a granted amount, or stops waiting. Calls after the first do nothing. */
  release(): void;
}

interface Member {
  name: string;
  used: number;
  deficit: number;
  readonly asks: Ask[];
}

interface Group {
  name: string | number;
  readonly members: Map<string, Member>;
  /** Members with waiting requests, in the order of their turns. */
  readonly waiting: Set<Member>;
  used: number;
  reserved: number;
  deficit: number;
}

interface Ask extends Share {
  readonly amount: number;
  state: 'waiting' | 'granted' | 'granted from the reserve' | 'over';
  readonly onGranted: () => void;
}

/** A request may count as at most a quarter of the capacity: by S2 it then fits beside the other groups' holdings. */
const LARGEST_PART = 4;
/** Each turn adds this part of the capacity to a deficit: about a usual request, so that turns stay short. */
const QUANTUM_PART = 128;
/** Groups and members that were removed and are used again: a stream that sends one record at a time comes and goes with each. */
const SPARE = 64;

export class Shares {
  readonly #options: SharesOptions;
  readonly #largest: number;
  readonly #quantum: number;
  readonly #groups = new Map<string | number, Group>();
  /** Groups with waiting members, in the order of their turns. */
  readonly #waiting = new Set<Group>();
  readonly #spareGroups: Group[] = [];
  readonly #spareMembers: Member[] = [];
  #used = 0;
  #reserved = 0;
  /** S4: the group for which the room is reserved. */
  #next: Group | undefined;
  #serving = false;
  #again = false;

  constructor(options: SharesOptions) {
    this.#options = options;
    this.#largest = Math.floor(options.capacity / LARGEST_PART);
    this.#quantum = Math.max(1, Math.floor(options.capacity / QUANTUM_PART));
  }

  /** The granted total. */
  get used(): number {
    return this.#used + this.#reserved;
  }

  /** Number of groups that hold or want an amount. */
  get groups(): number {
    return this.#groups.size;
  }

  /**
   * Requests an amount.
   * @param onGranted called once when it is granted, which may be before this returns; never after `release`
   */
  ask(group: string | number, member: string, amount: number, onGranted: () => void): Share {
    const counted = Math.min(Math.max(amount, this.#options.least), this.#largest);
    const from = this.#group(group);
    const by = this.#member(from, member);
    const ask: Ask = {
      amount: counted,
      state: 'waiting',
      onGranted,
      get granted() {
        return this.state === 'granted' || this.state === 'granted from the reserve';
      },
      release: () => this.#release(from, by, ask),
    };
    // Nothing was released, so other waiting groups would still wait. Within its own group the request waits for its turn,
    // unless S3 applies.
    const atOnce = by.asks.length === 0 && (from.waiting.size === 0 || this.#isSmallFirst(by, counted));
    const source = atOnce ? this.#source(from, by, counted) : undefined;
    if (source) {
      this.#take(from, by, ask, source);
      onGranted();
    } else {
      by.asks.push(ask);
      from.waiting.add(by);
      this.#waiting.add(from);
      this.#serve();
    }
    return ask;
  }

  /** Waits until an amount is granted; the returned function releases it. undefined when `signal` aborted first. */
  async take(
    group: string | number,
    member: string,
    amount: number,
    signal: AbortSignal,
  ): Promise<(() => void) | undefined> {
    if (signal.aborted) return undefined;
    const granted = Promise.withResolvers<boolean>();
    const share = this.ask(group, member, amount, () => granted.resolve(true));
    const onAbort = () => {
      if (share.granted) return;
      share.release();
      granted.resolve(false);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const outcome = await granted.promise;
    signal.removeEventListener('abort', onAbort);
    return outcome ? () => share.release() : undefined;
  }

  #group(name: string | number): Group {
    let group = this.#groups.get(name);
    if (!group) {
      group = this.#spareGroups.pop() ?? newGroup();
      group.name = name;
      this.#groups.set(name, group);
    }
    return group;
  }

  #member(group: Group, name: string): Member {
    let member = group.members.get(name);
    if (!member) {
      member = this.#spareMembers.pop() ?? { name, used: 0, deficit: 0, asks: [] };
      member.name = name;
      group.members.set(name, member);
    }
    return member;
  }

  #isSmallFirst(member: Member, amount: number): boolean {
    return amount <= this.#options.small && member.used === 0;
  }

  /** The source of an amount at the moment. */
  #source(group: Group, member: Member, amount: number): 'granted' | 'granted from the reserve' | undefined {
    const { capacity, reserve } = this.#options;
    const free = capacity - this.#used;
    const kept = this.#next !== undefined && this.#next !== group;
    if (!kept && amount <= free && isWithinShare(group, member, amount, free)) return 'granted';
    if (!this.#isSmallFirst(member, amount)) return undefined;
    const reserveLeft = reserve - this.#reserved;
    if (amount <= reserveLeft && (group.reserved === 0 || group.reserved + amount <= reserveLeft))
      return 'granted from the reserve';
    return undefined;
  }

  #take(group: Group, member: Member, ask: Ask, source: 'granted' | 'granted from the reserve'): void {
    ask.state = source;
    member.used += ask.amount;
    if (source === 'granted') {
      group.used += ask.amount;
      this.#used += ask.amount;
      if (this.#next === group) this.#next = undefined;
    } else {
      group.reserved += ask.amount;
      this.#reserved += ask.amount;
    }
  }

  #release(group: Group, member: Member, ask: Ask): void {
    const { state, amount } = ask;
    if (state === 'over') return;
    ask.state = 'over';
    if (state === 'waiting') {
      member.asks.splice(member.asks.indexOf(ask), 1);
      this.#settle(group, member);
      if (this.#next === group) this.#next = undefined;
    } else {
      member.used -= amount;
      if (state === 'granted') {
        group.used -= amount;
        this.#used -= amount;
      } else {
        group.reserved -= amount;
        this.#reserved -= amount;
      }
    }
    this.#forgetIdle(group, member);
    this.#serve();
  }

  /** Removes a member, and its group, from the turns when it has no waiting request. */
  #settle(group: Group, member: Member): void {
    if (member.asks.length > 0) return;
    member.deficit = 0;
    group.waiting.delete(member);
    if (group.waiting.size > 0) return;
    group.deficit = 0;
    this.#waiting.delete(group);
  }

  #forgetIdle(group: Group, member: Member): void {
    if (member.used === 0 && member.asks.length === 0 && group.members.delete(member.name)) {
      member.deficit = 0;
      if (this.#spareMembers.length < SPARE) this.#spareMembers.push(member);
    }
    if (group.members.size === 0 && this.#groups.delete(group.name)) {
      group.deficit = 0;
      if (this.#next === group) this.#next = undefined;
      if (this.#spareGroups.length < SPARE) this.#spareGroups.push(group);
    }
  }

  /** Grants waiting requests. A callback may request and release: the call in progress handles that. */
  #serve(): void {
    this.#again = true;
    if (this.#serving) return;
    this.#serving = true;
    try {
      while (this.#again) {
        this.#again = false;
        for (const ask of this.#turns()) if (ask.granted) ask.onGranted();
      }
    } finally {
      this.#serving = false;
    }
  }

  /** S4: repeats the turns until no group can be granted more. */
  #turns(): Ask[] {
    const granted: Ask[] = [];
    let blocked = 0;
    while (this.#waiting.size > blocked) {
      const [group] = this.#waiting as Set<Group> & Iterable<Group, undefined>;
      if (!group) break;
      this.#waiting.delete(group);
      this.#waiting.add(group);
      group.deficit += this.#quantum;
      const before = granted.length;
      const end = this.#turn(group, granted);
      if (end === 'blocked') {
        // A member must not save up a deficit that it cannot use now.
        group.deficit = Math.min(group.deficit, this.#largest);
        blocked = granted.length > before ? 0 : blocked + 1;
      } else blocked = 0;
    }
    return granted;
  }

  /** The turn of one group: `short` when its deficit is used up, `blocked` when none of its members can be granted more. */
  #turn(group: Group, granted: Ask[]): 'short' | 'blocked' | 'done' {
    let blocked = 0;
    while (group.waiting.size > blocked) {
      const [member] = group.waiting;
      const ask = member?.asks[0];
      if (!member || !ask) break;
      const source = this.#source(group, member, ask.amount);
      if (source === undefined || member.deficit < ask.amount) {
        if (source === undefined) {
          blocked++;
          this.#keepRoom(group, ask.amount);
        } else {
          member.deficit += this.#quantum;
          blocked = 0;
        }
        group.waiting.delete(member);
        group.waiting.add(member);
        continue;
      }
      if (group.deficit < ask.amount) return 'short';
      blocked = 0;
      member.asks.shift();
      member.deficit -= ask.amount;
      group.deficit -= ask.amount;
      this.#take(group, member, ask, source);
      granted.push(ask);
      this.#settle(group, member);
    }
    return group.waiting.size > 0 ? 'blocked' : 'done';
  }

  #keepRoom(group: Group, amount: number): void {
    if (this.#next || group.used > 0) return;
    if (amount > this.#options.capacity - this.#used) this.#next = group;
  }
}

/** S2. */
function isWithinShare(group: Group, member: Member, amount: number, free: number): boolean {
  if (group.used === 0) return true;
  const left = free / 2 - group.used;
  return amount <= left && (member.used === 0 || member.used + amount <= left);
}

function newGroup(): Group {
  return { name: '', members: new Map(), waiting: new Set(), used: 0, reserved: 0, deficit: 0 };
}
