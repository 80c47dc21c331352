import { expect, test } from "vitest";
import { finished, meant } from "./status";

test("an aborted campaign was meant for those, too, whom the abort skipped", () => {
  const counts = { SUCCESS: 90, FAILED: 10, SKIPPED: 300 };
  expect(finished(counts)).toBe(100);
  expect(meant({ status: "ABORTED" }, counts)).toBe(400);
  expect(meant({ status: "COMPLETED" }, counts)).toBe(100);
});
