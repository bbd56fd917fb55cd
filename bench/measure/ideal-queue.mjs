/**
 * What a lane that costs nothing but its runs makes of arrivals, to hold a server's tail against. Not a bound: a server whose median is slower, or
 * that takes others first, may have a smaller ratio.
 */

/** `seconds`: of a run by its rows, rising sizes; between two of them in a straight line. */
export function runTime(seconds) {
  const sizes = Object.keys(seconds).map(Number);
  return (rows) => {
    const above = sizes.find((size) => size >= rows) ?? sizes.at(-1);
    const below = sizes.findLast((size) => size <= rows) ?? sizes[0];
    if (above === below) return seconds[above];
    return seconds[below] + ((rows - below) / (above - below)) * (seconds[above] - seconds[below]);
  };
}

/**
 * Seconds that each request takes with one lane which is never idle while one waits, takes the oldest first, and as many as fit.
 * `arrivals`: seconds, rising.
 */
export function idealLatencies(arrivals, { rowsPerRequest, maxRows, secondsOf }) {
  const most = Math.max(1, Math.floor(maxRows / rowsPerRequest));
  const latencies = new Float64Array(arrivals.length);
  let free = 0;
  for (let next = 0; next < arrivals.length;) {
    const start = Math.max(arrivals[next], free);
    let end = next;
    while (end < arrivals.length && end - next < most && arrivals[end] <= start) end += 1;
    free = start + secondsOf((end - next) * rowsPerRequest);
    for (; next < end; next++) latencies[next] = free - arrivals[next];
  }
  return latencies;
}
