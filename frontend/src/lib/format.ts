/** Numbers, sizes, times and spans as people read them; what is unknown is a dash, never 0. */
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const toSecond = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayAndClock = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const exact = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export const DASH = "–";
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86_400;

export const count = (n: number | null | undefined) => (n == null ? DASH : whole.format(n));

/** The server's words with the numbers in them as people read them. */
export const grouped = (words: string) => words.replace(/\b\d{4,}\b/g, (n) => count(Number(n)));

/** 1,2 k above ten thousand, for an axis. */
export const short = (n: number) => (n >= 1_000_000 ? `${+(n / 1e6).toFixed(1)}M` : n >= 10_000 ? `${+(n / 1e3).toFixed(1)}k` : count(n));

/** `devices(1)` is "1 device". */
export const devices = (n: number) => `${count(n)} ${n === 1 ? "device" : "devices"}`;

/** A share 0–1 with one decimal; full and none have none. Never rounds up to 100 or down to 0. */
export function share(part: number, decimals = 1): string {
  if (!Number.isFinite(part)) return DASH;
  const step = 10 ** -decimals;
  const percent = part * 100;
  if (part >= 1 || part <= 0) return `${percent.toFixed(0)} %`;
  return `${Math.min(100 - step, Math.max(step, percent)).toFixed(decimals)} %`;
}

/** A share that a person chose: 0.035 is "3.5 %". */
export const chosenShare = (part: number) => `${+(part * 100).toFixed(4)} %`;

export const aMinute = (rate: number | null | undefined) => (rate == null ? DASH : `${count(rate < 10 ? +rate.toFixed(1) : rate)} a minute`);

export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  let size = n;
  while (size >= 1000 && power < units.length - 1) {
    size /= 1000;
    power += 1;
  }
  return `${power === 0 || size >= 100 ? Math.round(size) : +size.toFixed(1)} ${units[power]}`;
}

/** Seconds as "15 min" or "1 h 20 min"; the two greatest units. */
export function span(length: number): string {
  const s = Math.max(0, Math.round(length));
  if (s < MINUTE) return `${s} s`;
  if (s < HOUR) return s < 10 * MINUTE && s % MINUTE ? `${Math.floor(s / MINUTE)} min ${s % MINUTE} s` : `${Math.round(s / MINUTE)} min`;
  if (s < DAY) return joined(Math.floor(s / HOUR), "h", Math.round((s % HOUR) / MINUTE), "min");
  return joined(Math.floor(s / DAY), "d", Math.round((s % DAY) / HOUR), "h");
}

const joined = (n: number, unit: string, rest: number, small: string) => `${n} ${unit}${rest ? ` ${rest} ${small}` : ""}`;

/** "12:04" today, with the day on others. */
export function moment(at: string | number | null | undefined, now = Date.now()): string {
  if (at == null) return DASH;
  const date = new Date(at);
  return date.toDateString() === new Date(now).toDateString() ? clock.format(date) : dayAndClock.format(date);
}

/** Like `moment`, to the second. */
export const momentToSecond = (at: string, now = Date.now()) => (now - Date.parse(at) < 43_200_000 ? toSecond.format(new Date(at)) : moment(at, now));

/** The time on an axis that spans `range` milliseconds. */
export const onAxis = (at: number, range: number) => (range < 5 * 60_000 ? toSecond : range < 86_400_000 ? clock : dayAndClock).format(at);

export const exactly = (at: string | number | null | undefined) => (at == null ? undefined : exact.format(new Date(at)));

/** "12 s ago" below an hour, the time beyond. */
export function ago(at: string | null | undefined, now = Date.now()): string {
  if (at == null) return DASH;
  const seconds = (now - Date.parse(at)) / 1000;
  if (seconds < 2) return "now";
  return seconds < HOUR ? `${seconds < MINUTE ? span(seconds) : `${Math.floor(seconds / MINUTE)} min`} ago` : moment(at, now);
}
