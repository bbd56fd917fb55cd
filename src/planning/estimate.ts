/**
 * A figure and how far off it may be. In the bench, `low` and `high` are the interval in which the true one lies with 95 % confidence.
 *
 * Of a highest rate that meets a goal, `low` is the highest one at which trials have shown that it is met, 0 where they have not, and
 * `high` the lowest at which they have shown that it is missed, or the highest that was tried; or where that is more, the rate below which
 * all trials together leave the highest one with 97 %. They show it with 99 % confidence each (rate-evidence.ts). A search looks more than
 * once, so that `low` is above the true rate in a few searches of a hundred (test/unit/planning/measure/max-rate.test.ts).
 */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}
