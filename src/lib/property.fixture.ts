import fc from 'fast-check';

/** Any number: what matters is that it is the same for everybody. */
const SEED = 20_261_123;

/**
 * fast-check, for property tests. The cases are the same in every run, so that a red run means that something was changed;
 * with PROPERTY_SEED=random they are others each time (or another number's, to see a failure again).
 */
const wanted = process.env.PROPERTY_SEED;
if (wanted !== 'random') fc.configureGlobal({ seed: Number(wanted ?? SEED) });

export { fc };
