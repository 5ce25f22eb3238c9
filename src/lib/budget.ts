/**
 * A bounded amount of something (bytes in flight, say), handed out first come, first served. A request for more than
 * the whole is granted when nothing else is out, so that it can always proceed.
 */
export class Budget {
  readonly #total: number;
  #used = 0;
  readonly #waiting: { amount: number; grant: () => void }[] = [];

  constructor(total: number) {
    this.#total = total;
  }

  get used(): number {
    return this.#used;
  }

  /** Whether `amount` could be had at once. */
  fits(amount: number): boolean {
    return this.#waiting.length === 0 && (this.#used === 0 || this.#used + amount <= this.#total);
  }

  /** Waits until `amount` is free; the returned function gives it back. undefined when `signal` aborted first. */
  async take(amount: number, signal: AbortSignal): Promise<(() => void) | undefined> {
    if (signal.aborted) return undefined;
    if (!this.fits(amount)) {
      const granted = await new Promise<boolean>((resolve) => {
        const request = {
          amount,
          grant: () => {
            signal.removeEventListener('abort', onAbort);
            resolve(true);
          },
        };
        const onAbort = () => {
          const at = this.#waiting.indexOf(request);
          if (at >= 0) this.#waiting.splice(at, 1);
          this.#grantNext();
          resolve(false);
        };
        this.#waiting.push(request);
        signal.addEventListener('abort', onAbort, { once: true });
      });
      if (!granted) return undefined;
    } else {
      this.#used += amount;
    }
    let returned = false;
    return () => {
      if (returned) return;
      returned = true;
      this.#used -= amount;
      this.#grantNext();
    };
  }

  #grantNext(): void {
    for (let next = this.#waiting[0]; next; next = this.#waiting[0]) {
      if (this.#used > 0 && this.#used + next.amount > this.#total) return;
      this.#waiting.shift();
      this.#used += next.amount;
      next.grant();
    }
  }
}
