import { expect, test } from "vitest";
import { at, update } from "./fixtures";
import { earlier, presentError, steps } from "./update";

const failed = (attempt: number, error_code: string) => ({ attempt, error_code, error_message: null, failed_at: at(-100 + attempt) });

test("moments are told in the order in which they happened, what is due last", () => {
  const waits = update({ status: "PENDING", wait: "retry", queued_at: at(-9), dispatched_at: at(-8), last_report_at: at(-2), next_attempt_at: at(60) });
  expect(steps(waits).map(({ word }) => word)).toEqual(["Released", "Command sent", "Last report", "Next attempt due"]);
  expect(steps(waits).at(-1)?.due).toBe(true);
});

test("a device that has failed says why, and which attempts failed before", () => {
  const row = update({ status: "FAILED", attempt: 3, failures: 3, error_code: "timeout", failed_attempts: [failed(3, "timeout"), failed(2, "low_battery"), failed(1, "timeout")] });
  expect(presentError(row)?.code).toBe("timeout");
  expect(earlier(row).map(({ attempt }) => attempt)).toEqual([2, 1]);
});

test("the failure of an attempt before is not told as the present one's", () => {
  const before = { error_code: "timeout", failed_attempts: [failed(1, "timeout")] };
  expect(presentError(update({ ...before, status: "DOWNLOADING", attempt: 2 }))).toBeNull();
  expect(presentError(update({ ...before, status: "PENDING", wait: "offline", attempt: 2 }))).toBeNull();
  expect(presentError(update({ ...before, status: "PENDING", wait: "retry", attempt: 1 }))?.code).toBe("timeout");
});
