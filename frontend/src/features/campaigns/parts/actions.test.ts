import { describe, expect, test } from "vitest";
import { at, campaign } from "../fixtures";
import { allowed } from "./actions";

const withdrawn = { firmware_withdrawal: { by: "ann", at: at(-60), reason: "bricks" } };

describe("what a campaign allows", () => {
  test.each(["CREATED", "PAUSED", "COMPLETED"] as const)("of a withdrawn firmware neither a start nor another try: %s", (status) => {
    expect(allowed(campaign({ status, failed: 3, ...withdrawn }))).toMatchObject({ start: false, retry: false });
  });

  test("of an active firmware both", () => {
    expect(allowed(campaign({ status: "PAUSED", failed: 3 }))).toMatchObject({ start: true, retry: true });
  });
});
