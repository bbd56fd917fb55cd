/** How long a closed loop must be to say something of slow requests. In few steps, so that a plan that goes on asks for what is on disk. */

const STEP = 4;
/** Requests one after the other. */
const WANTED = 5;

/** `least`, or longer where a lone request takes so long; null = it is not known. */
export function secondsFor(least: number, loneMs: number | null): number {
  let seconds = least;
  while (seconds * 1000 < WANTED * (loneMs ?? 0)) seconds = longer(seconds);
  return seconds;
}

/** After one in which no request was counted. */
export function longer(seconds: number): number {
  return seconds * STEP;
}
