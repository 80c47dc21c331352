import { expect, test } from "vitest";
import { aMinute, ago, bytes, count, devices, grouped, share, short, span } from "./format";

test("what is unknown is a dash, not 0", () => {
  expect([count(null), aMinute(undefined), ago(null), share(0 / 0)]).toEqual(["–", "–", "–", "–"]);
  expect(count(0)).toBe("0");
});

test("a share is never rounded up to all or down to none", () => {
  expect([share(0.9999), share(0.00001), share(1), share(0), share(0.609)]).toEqual(["99.9 %", "0.1 %", "100 %", "0 %", "60.9 %"]);
  expect(share(0.00702, 2)).toBe("0.70 %");
});

test("spans have their two greatest units", () => {
  expect([12, 90, 840, 4800, 90_000].map(span)).toEqual(["12 s", "1 min 30 s", "14 min", "1 h 20 min", "1 d 1 h"]);
});

test("numbers are grouped, short ones abbreviated", () => {
  expect([devices(1), devices(48_200), short(9_500), short(40_000), short(2_500_000)]).toEqual(["1 device", "48,200 devices", "9,500", "40k", "2.5M"]);
  expect([bytes(512), bytes(300_000), bytes(1_234_567)]).toEqual(["512 B", "300 kB", "1.2 MB"]);
});

test("numbers in the server's words are grouped too", () => {
  expect(grouped("6000 to 120 a minute")).toBe("6,000 to 120 a minute");
});

test("times are relative below an hour", () => {
  const now = Date.parse("2026-05-04T12:00:00Z");
  const before = (seconds: number) => new Date(now - seconds * 1000).toISOString();
  expect([1, 16, 130, 3599].map((seconds) => ago(before(seconds), now))).toEqual(["now", "16 s ago", "2 min ago", "59 min ago"]);
  expect(ago(before(3600), now)).toMatch(/^\d\d:\d\d$/);
});
