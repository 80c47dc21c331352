import { expect, test } from "vitest";
import type { History } from "@/api/types";
import { failureBars, isOver, momentAt, moments, stageMarks } from "./burnup";
import { at, campaign, counts, NOW, stage } from "./fixtures";

const history: History = {
  resolution_seconds: 10,
  points: [-20, -10].map((seconds, place) => ({ at: at(seconds), promised: 200 * (place + 1), counts: counts({ SUCCESS: 100 * (place + 1) }), failed_attempts: 5 * place })),
  marks: [
    { at: at(-20), event: "started", stage: null, detail: null },
    { at: at(-5), event: "stage_started", stage: 1, detail: null },
  ],
};

test("the present campaign is the last moment, its promise carried on at the rate", () => {
  const all = moments(history, campaign({ status_breakdown: counts({ SUCCESS: 350, PENDING: 650 }), failing_devices: 6 }), NOW);
  expect(all).toHaveLength(3);
  expect(all.at(-1)).toMatchObject({ at: NOW, promised: 600, counts: { SUCCESS: 350 }, failures: 6 });
});

test("the promise never passes what the open stages have, nor grows while paused", () => {
  const small = campaign({ stages: [stage({ status_breakdown: counts({ PENDING: 450 }) })] });
  expect(moments(history, small, NOW).at(-1)?.promised).toBe(450);
  expect(moments(history, campaign({ status: "PAUSED" }), NOW).at(-1)?.promised).toBe(400);
});

test("nothing is added to a campaign that is over", () => {
  expect(moments(history, campaign({ status: "COMPLETED" }), NOW)).toHaveLength(2);
  expect(isOver(campaign({ status: "ABORTED", status_breakdown: counts({ SKIPPED: 3 }) }))).toBe(true);
  expect(isOver(campaign({ status: "ABORTED", status_breakdown: counts({ INSTALLING: 3 }) }))).toBe(false);
});

test("failures are counted by the minute where there are minutes, and quiet times have no bar", () => {
  const quiet = [0, 60_000, 120_000, 180_000].map((time, place) => ({ at: time, promised: 0, counts: {}, failures: place < 2 ? 0 : 12 }));
  expect(failureBars(quiet)).toEqual({ seconds: 60, bars: [{ from: 60_000, to: 120_000, failures: 12 }] });
});

test("a campaign of seconds does not speak of minutes", () => {
  const short = [0, 1000, 2000, 3000].map((time, place) => ({ at: time, promised: 0, counts: {}, failures: place }));
  expect(failureBars(short)).toMatchObject({ seconds: 1, bars: [{ failures: 1 }, { failures: 1 }, { failures: 1 }] });
});

test("however long the campaign, all failures are in the bars and there are no more than asked for", () => {
  const long = Array.from({ length: 600 }, (_, place) => ({ at: place * 1000, promised: 0, counts: {}, failures: place * 2 }));
  const { seconds, bars } = failureBars(long, 40);
  expect(seconds).toBe(30);
  expect(bars.length).toBeLessThanOrEqual(41);
  expect(bars.reduce((sum, bar) => sum + bar.failures, 0)).toBe(1198);
});

test("the moment under the cursor is the last one before it", () => {
  const all = moments(history, campaign(), NOW);
  expect([-25, -15, -10, 5].map((seconds) => momentAt(all, NOW + seconds * 1000))).toEqual([0, 0, 1, 2]);
});

test("stages are marked where they began", () => {
  const canary = campaign({ started_at: at(-20), stages: [stage({ name: "Canary" }), stage({ number: 1, name: "Everyone" })] });
  expect(stageMarks(history, canary).map(({ name }) => name)).toEqual(["Canary", "Everyone"]);
  expect(stageMarks(history, campaign())).toEqual([]);
});
