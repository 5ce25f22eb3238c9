/** Of chips. Dark enough for white letters. */
export const GOOD = '#23782f';
export const POOR = '#8f5300';
export const BAD = '#c92a2a';
export const RUNNING = '#1862ab';
export const NEUTRAL = '#5b636b';
