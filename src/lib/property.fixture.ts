import fc from 'fast-check';

/** Any number will do, as long as every run uses the same one. */
const SEED = 20_261_123;

/**
 * fast-check, for property tests. Every run has the same cases, so that a red run means that the code has changed.
 * PROPERTY_SEED=random gives other cases each time; PROPERTY_SEED=<number> repeats a failure.
 */
const wanted = process.env.PROPERTY_SEED;
if (wanted !== 'random') fc.configureGlobal({ seed: Number(wanted ?? SEED) });

export { fc };
