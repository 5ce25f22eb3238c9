/**
 * Seeds that found a fault once, with what they found. They are run in every test. A change of the simulation itself gives
 * every seed another history: then they are seeds like any others, and still worth their second.
 */
export const SEEDS_THAT_FAILED: readonly { readonly seed: number; readonly found: string }[] = [
  { seed: 26, found: 'a node that stood still past its lease wrote over the progress of its successor' },
  { seed: 28, found: 'a gap was counted twice: while blocks were counted, the retention took them' },
  {
    seed: 41,
    found: 'a stream that was stopped while its documents were read committed a cursor of nothing',
  },
  { seed: 55, found: 'the same over two holders: old records were sent again' },
  { seed: 22, found: 'another filter let records pass that lay before the cursor' },
  { seed: 31, found: 'records before the cursor were counted with a filter that came later' },
  { seed: 44, found: 'what did not pass was forgotten when the memory of a waiting stream was given back' },
  { seed: 90, found: 'records that another relation takes no more were shown as waiting for ever' },
  { seed: 236, found: 'of two damaged blocks the records of the first were counted twice' },
  { seed: 3040, found: 'a replay had come to its end and said for ever that a record waits' },
  { seed: 1144, found: 'a replay whose last blocks held nothing for its stream never came to its end' },
  { seed: 1089, found: 'a watermark was stored although a document that it relies on was not' },
  { seed: 1264, found: 'by hours more records waited than were counted as waiting' },
  { seed: 1631, found: 'what was in flight with another filter was counted as if it passed the present one' },
  {
    seed: 1926,
    found: 'blocks that the holder before had removed were passed uncounted when the next one went',
  },
  { seed: 1929, found: 'what the holder before had counted was shown twice by one that had handed out less' },
];
